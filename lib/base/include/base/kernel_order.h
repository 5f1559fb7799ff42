/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What one thread wrote before it asked the kernel for something, another thread sees after the
 * kernel has told it of that. ThreadSanitizer, which does not look into the kernel, has to be told;
 * in other builds these are nothing.
 */

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define TP_THREAD_SANITIZER 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define TP_THREAD_SANITIZER 1
#endif

#ifdef TP_THREAD_SANITIZER
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define TP_KERNEL_ASKED(object) __tsan_release(object)
#define TP_KERNEL_TOLD(object)  __tsan_acquire(object)
#else
#define TP_KERNEL_ASKED(object) ((void)(object))
#define TP_KERNEL_TOLD(object)  ((void)(object))
#endif
