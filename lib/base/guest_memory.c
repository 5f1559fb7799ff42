/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault_guard.h"
#include "base/guest_memory.h"
#include "base/guest_share.h"

struct tp_guest_mapping {
	void *base;      /* as mmap returned it */
	size_t length;   /* of the whole mapping */
	uint8_t *first;  /* where the region begins in it */
	uint32_t tables; /* that name this mapping; control: rw */
	int guard;       /* slot of the fault guard */
	struct tp_guest_charge charge;
	atomic_bool condemned; /* fault guard: w, control: ro */
};

static void mapping_release(struct tp_guest_mapping *mapping)
{
	if (--mapping->tables > 0)
		return;
	tp_fault_guard_remove(mapping->guard);
	munmap(mapping->base, mapping->length);
	tp_guest_share_give(&mapping->charge);
	free(mapping);
}

/* @return the unit in which a file is mapped (2 MiB on hugetlbfs). */
static size_t page_of(const struct stat *file)
{
	size_t smallest = (size_t)sysconf(_SC_PAGESIZE);
	size_t block = (size_t)file->st_blksize;

	return block != 0 && block % smallest == 0 ? block : smallest;
}

static int check_file(
	const struct tp_guest_region_request *request, int fd, size_t *page, struct tp_error *error)
{
	uint64_t end = request->mmap_offset + request->size;
	struct stat file;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return tp_error_set(error, errno,
			"memory region: its descriptor cannot be examined: %s", strerror(errno));
	/* Only files that live in memory have seals. The file system of any other is asked nothing:
	 * it could be the guest's own, and not answer. */
	if (fcntl(fd, F_GET_SEALS) < 0)
		return tp_error_set(error, EINVAL,
			"memory region: its descriptor is not a regular file in memory (a memfd, "
			"or on "
			"tmpfs or hugetlbfs)");
	if ((flags & O_ACCMODE) != O_RDWR)
		return tp_error_set(error, EACCES,
			"memory region: its file is not open for reading and writing");
	if (fstat(fd, &file) < 0)
		return tp_error_set(error, errno, "memory region: its file cannot be examined: %s",
			strerror(errno));
	if ((uint64_t)file.st_size < end)
		return tp_error_set(error, EINVAL,
			"memory region: its file has %jd bytes, offset + size ask for %" PRIu64,
			(intmax_t)file.st_size, end);
	*page = page_of(&file);
	return 0;
}

static struct tp_guest_mapping *mapping_new(
	const struct tp_guest_region_request *request, int fd, struct tp_error *error)
{
	struct tp_guest_mapping *mapping;
	uint64_t first; /* byte of the file that is mapped: an offset need not begin a page */
	size_t page = 0;

	if (check_file(request, fd, &page, error) < 0)
		return NULL;
	mapping = calloc(1, sizeof(*mapping));
	if (mapping == NULL) {
		tp_error_set(error, ENOMEM, "memory region: no memory for its entry");
		return NULL;
	}
	first = request->mmap_offset / page * page;
	mapping->length = (request->mmap_offset + request->size - first + page - 1) / page * page;
	mapping->base = mmap(NULL, mapping->length, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_NORESERVE, fd, (off_t)first);
	if (mapping->base == MAP_FAILED) {
		tp_error_set(error, errno, "memory region: %zu bytes cannot be mapped: %s%s",
			mapping->length, strerror(errno),
			errno == ENOMEM ? " (limits: vm.max_map_count, LimitAS=)" : "");
		free(mapping);
		return NULL;
	}
	mapping->first = (uint8_t *)mapping->base + (request->mmap_offset - first);
	mapping->tables = 1;
	mapping->guard = tp_fault_guard_add(mapping->base, mapping->length, &mapping->condemned);
	if (mapping->guard < 0) {
		tp_error_set(
			error, ENOSPC, "memory region: more mappings than the fault guard holds");
		mapping_release(mapping);
		return NULL;
	}
	/* A core dump of the switch is about the switch: keep the guests' memory out of it. */
	madvise(mapping->base, mapping->length, MADV_DONTDUMP);
	return mapping;
}

static bool overlap(uint64_t a, uint64_t b, uint64_t a_size, uint64_t b_size)
{
	return a - b < b_size || b - a < a_size;
}

static uint64_t bytes_of(const struct tp_guest_memory *memory)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; memory != NULL && i < memory->count; i++)
		bytes += memory->region[i].size;
	return bytes;
}

static int check_amount(const struct tp_guest_memory *old, uint64_t size, struct tp_error *error)
{
	uint64_t before = bytes_of(old);

	if (size > TP_GUEST_MEMORY_MAX || before + size > TP_GUEST_MEMORY_MAX)
		return tp_error_set(error, EFBIG,
			"memory region: %" PRIu64 " bytes beside %" PRIu64
			" in other regions; a guest may have 1 TiB",
			size, before);
	return 0;
}

static int check_request(const struct tp_guest_memory *old,
	const struct tp_guest_region_request *request, struct tp_error *error)
{
	uint64_t last = request->size - 1;

	if (request->size == 0)
		return tp_error_set(error, EINVAL, "memory region: size is 0");
	if (request->guest_address + last < last || request->user_address + last < last ||
		request->mmap_offset + request->size < request->size ||
		request->mmap_offset + request->size > (UINT64_MAX >> 1))
		return tp_error_set(error, EINVAL,
			"memory region: guest address 0x%" PRIx64 ", user address 0x%" PRIx64
			" or offset 0x%" PRIx64 " plus size 0x%" PRIx64 " wraps",
			request->guest_address, request->user_address, request->mmap_offset,
			request->size);
	if (check_amount(old, request->size, error) < 0)
		return -EFBIG;
	if (old == NULL)
		return 0;
	if (old->count >= TP_GUEST_REGIONS_MAX)
		return tp_error_set(
			error, ENOSPC, "memory region: more than %d regions", TP_GUEST_REGIONS_MAX);
	for (uint32_t i = 0; i < old->count; i++) {
		const struct tp_guest_region *region = &old->region[i];

		if (overlap(request->guest_address, region->guest_address, request->size,
			    region->size) ||
			overlap(request->user_address, region->user_address, request->size,
				region->size))
			return tp_error_set(error, EINVAL,
				"memory region: guest address 0x%" PRIx64 " size 0x%" PRIx64
				" overlaps the region at 0x%" PRIx64 " size 0x%" PRIx64,
				request->guest_address, request->size, region->guest_address,
				region->size);
	}
	return 0;
}

static struct tp_guest_memory *table_new(uint32_t count, struct tp_error *error)
{
	uint32_t places = count == 0 ? 1 : count;
	struct tp_guest_memory *memory =
		calloc(1, sizeof(*memory) + places * sizeof(memory->region[0]));

	if (memory == NULL)
		tp_error_set(error, ENOMEM, "memory table: no memory for %u regions", count);
	return memory;
}

static void table_append(struct tp_guest_memory *memory, const struct tp_guest_region *region)
{
	memory->region[memory->count++] = *region;
}

struct tp_guest_memory *tp_guest_memory_add(const struct tp_guest_memory *old,
	const struct tp_guest_region_request *request, int fd, struct tp_error *error)
{
	uint32_t old_count = old == NULL ? 0 : old->count;
	struct tp_guest_memory *memory;
	struct tp_guest_mapping *mapping;
	struct tp_guest_charge charge;

	if (check_request(old, request, error) < 0 ||
		tp_guest_share_take(bytes_of(old), old_count, request->size, &charge, error) < 0)
		return NULL;
	mapping = mapping_new(request, fd, error);
	if (mapping == NULL) {
		tp_guest_share_give(&charge);
		return NULL;
	}
	mapping->charge = charge;
	memory = table_new(old_count + 1, error);
	if (memory == NULL) {
		mapping_release(mapping);
		return NULL;
	}
	for (uint32_t i = 0; i < old_count; i++) {
		old->region[i].mapping->tables++;
		table_append(memory, &old->region[i]);
	}
	table_append(memory, &(struct tp_guest_region){
				     .guest_address = request->guest_address,
				     .size = request->size,
				     .host = mapping->first,
				     .user_address = request->user_address,
				     .mapping = mapping,
			     });
	return memory;
}

static bool same_region(
	const struct tp_guest_region *region, const struct tp_guest_region_request *request)
{
	return region->guest_address == request->guest_address && region->size == request->size &&
	       region->user_address == request->user_address;
}

struct tp_guest_memory *tp_guest_memory_remove(const struct tp_guest_memory *old,
	const struct tp_guest_region_request *request, struct tp_error *error)
{
	struct tp_guest_memory *memory;

	memory = table_new(old->count, error);
	if (memory == NULL)
		return NULL;
	for (uint32_t i = 0; i < old->count; i++) {
		if (same_region(&old->region[i], request))
			continue;
		old->region[i].mapping->tables++;
		table_append(memory, &old->region[i]);
	}
	if (memory->count == old->count) {
		tp_error_set(error, ENOENT,
			"memory region: none at guest address 0x%" PRIx64 " with size 0x%" PRIx64
			" and user address 0x%" PRIx64,
			request->guest_address, request->size, request->user_address);
		tp_guest_memory_free(memory);
		return NULL;
	}
	return memory;
}

void tp_guest_memory_free(struct tp_guest_memory *memory)
{
	if (memory == NULL)
		return;
	for (uint32_t i = 0; i < memory->count; i++)
		mapping_release(memory->region[i].mapping);
	free(memory);
}

bool tp_guest_memory_condemned(const struct tp_guest_memory *memory)
{
	for (uint32_t i = 0; i < memory->count; i++)
		/* acquire: partner is the release store of the fault guard's handler */
		if (atomic_load_explicit(
			    &memory->region[i].mapping->condemned, memory_order_acquire))
			return true;
	return false;
}
