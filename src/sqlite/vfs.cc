#include "sqlite/vfs.h"

#include <sqlite3.h>

#include <cstring>
#include <mutex>
#include <new>

#include "base/check.h"
#include "runtime/fiber.h"
#include "sqlite/function_bounds.h"
#include "sqlite/memory_budget.h"
#include "sqlite/page_store.h"
#include "sqlite/pauses.h"
#include "sqlite/store_registry.h"
#include "sqlite/temporary_file.h"

namespace tradewind::sqlite {

namespace {

// Julian day 0 in milliseconds before the Unix epoch, as xCurrentTimeInt64 wants it.
constexpr int64_t kUnixEpochJulianMs = 210'866'760'000'000;

// SQLITE_IOERR would also end a transaction that has been begun and has read nothing; SQLITE_BUSY is tried
// again.
constexpr int kRefusedSnapshot = SQLITE_PERM | (100 << 8);

constexpr unsigned kReadsBetweenCalls = 32;

// What SQLite allocates for an open file; sqlite3_file must come first.
struct OpenFile {
  sqlite3_file base;
  PageStore* store;
  ConnectionGuard* guard;  // Of the connection; null for one that has none.
  LockHold hold;
  bool uses_wal_index;
  TemporaryFile* temporary;  // Owned.
  runtime::File* journal;  // Owned; only for the rollback journal of a database that is not yet in WAL mode.
};

OpenFile& Cast(sqlite3_file* file) {
  return *reinterpret_cast<OpenFile*>(file);
}

MutableBytes Buffer(void* into, int amount) {
  return {static_cast<std::byte*>(into), static_cast<size_t>(amount)};
}
Bytes Buffer(const void* from, int amount) {
  return {static_cast<const std::byte*>(from), static_cast<size_t>(amount)};
}

}  // namespace

// The calls of sqlite3_io_methods and sqlite3_vfs, a friend of PageStore.
struct VfsCalls {
  // -- every file
  static int SectorSize(sqlite3_file*) { return 4096; }
  static int Characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }
  // PRAGMA mmap_size has no other way to be answered.
  static int FileControl(sqlite3_file*, int control, void* argument) {
    if (control != SQLITE_FCNTL_MMAP_SIZE) return SQLITE_NOTFOUND;
    *static_cast<sqlite3_int64*>(argument) = 0;
    return SQLITE_OK;
  }

  static void NoteRead(OpenFile& open) {
    if (open.guard && ++open.guard->reads % kReadsBetweenCalls == 0)
      open.guard->on_reads(open.guard->context);
  }

  // -- main file
  static int MainClose(sqlite3_file* file) {
    OpenFile& open = Cast(file);
    open.store->locks_.Lower(open.hold, SQLITE_LOCK_NONE);
    return SQLITE_OK;
  }
  static int MainRead(sqlite3_file* file, void* into, int amount, sqlite3_int64 offset) {
    NoteRead(Cast(file));
    return Cast(file).store->ReadMain(static_cast<uint64_t>(offset), Buffer(into, amount));
  }
  static int MainWrite(sqlite3_file* file, const void* from, int amount, sqlite3_int64 offset) {
    return Cast(file).store->WriteMain(static_cast<uint64_t>(offset), Buffer(from, amount));
  }
  static int MainTruncate(sqlite3_file* file, sqlite3_int64 size) {
    return Cast(file).store->TruncateMain(static_cast<uint64_t>(size));
  }
  static int MainSync(sqlite3_file* file, int) { return Cast(file).store->SyncMain(); }
  static int MainSize(sqlite3_file* file, sqlite3_int64* size) {
    auto bytes = Cast(file).store->main_->Size();
    if (!bytes) return SQLITE_IOERR_FSTAT;
    *size = static_cast<sqlite3_int64>(*bytes);
    return SQLITE_OK;
  }
  static int MainLock(sqlite3_file* file, int level) {
    OpenFile& open = Cast(file);
    return open.store->locks_.Raise(open.hold, level) ? SQLITE_OK : SQLITE_BUSY;
  }
  static int MainUnlock(sqlite3_file* file, int level) {
    OpenFile& open = Cast(file);
    open.store->locks_.Lower(open.hold, level);
    return SQLITE_OK;
  }
  static int MainCheckReserved(sqlite3_file* file, int* reserved) {
    *reserved = Cast(file).store->locks_.reserved();
    return SQLITE_OK;
  }

  // -- shared memory of the WAL index
  static int ShmMap(sqlite3_file* file, int region, int bytes, int extend, void volatile** memory) {
    OpenFile& open = Cast(file);
    if (!open.uses_wal_index) {
      open.uses_wal_index = true;
      ++open.store->wal_index_users_;
    }
    *memory = open.store->wal_index_.Map(region, static_cast<size_t>(bytes), extend != 0);
    return SQLITE_OK;
  }
  static int ShmLock(sqlite3_file* file, int slot, int count, int flags) {
    OpenFile& open = Cast(file);
    WalIndex& index = open.store->wal_index_;
    if (flags & SQLITE_SHM_UNLOCK) {
      const bool writes =
          slot <= WalIndex::kWriteSlot && (open.hold.exclusive_slots & (1u << WalIndex::kWriteSlot));
      if (writes) open.store->WriteLockReleased();
      index.Unlock(open.hold, slot, count);
      return SQLITE_OK;
    }
    const bool takes_snapshot = (flags & SQLITE_SHM_SHARED) && slot >= WalIndex::kFirstReadSlot;
    if (takes_snapshot && open.guard && open.guard->bars_snapshots) {
      open.guard->has_barred = true;
      return kRefusedSnapshot;
    }
    const bool granted = (flags & SQLITE_SHM_SHARED) ? index.LockShared(open.hold, slot, count)
                                                     : index.LockExclusive(open.hold, slot, count);
    return granted ? SQLITE_OK : SQLITE_BUSY;
  }
  static void ShmBarrier(sqlite3_file*) {}  // One thread.
  static int ShmUnmap(sqlite3_file* file, int) {
    OpenFile& open = Cast(file);
    if (!open.uses_wal_index) return SQLITE_OK;
    open.uses_wal_index = false;
    open.store->wal_index_.UnlockAll(open.hold);
    if (--open.store->wal_index_users_ == 0) open.store->wal_index_.Drop();
    return SQLITE_OK;
  }

  // -- WAL
  static int WalClose(sqlite3_file*) { return SQLITE_OK; }
  static int WalRead(sqlite3_file* file, void* into, int amount, sqlite3_int64 offset) {
    if (!Cast(file).store->log().commit_in_flight()) NoteRead(Cast(file));
    return Cast(file).store->ReadWal(static_cast<uint64_t>(offset), Buffer(into, amount));
  }
  static int WalWrite(sqlite3_file* file, const void* from, int amount, sqlite3_int64 offset) {
    return Cast(file).store->WriteWal(static_cast<uint64_t>(offset), Buffer(from, amount));
  }
  static int WalTruncate(sqlite3_file* file, sqlite3_int64 size) {
    return Cast(file).store->TruncateWal(static_cast<uint64_t>(size));
  }
  static int WalSync(sqlite3_file* file, int) { return Cast(file).store->SyncWal(); }
  static int WalSize(sqlite3_file* file, sqlite3_int64* size) {
    auto bytes = Cast(file).store->log().Size();
    if (!bytes) return SQLITE_IOERR_FSTAT;
    *size = static_cast<sqlite3_int64>(*bytes);
    return SQLITE_OK;
  }
  static int NoLock(sqlite3_file*, int) { return SQLITE_OK; }
  static int NoReserved(sqlite3_file*, int* reserved) {
    *reserved = 0;
    return SQLITE_OK;
  }

  // -- rollback journal (until a new database is switched to WAL mode)
  static int JournalClose(sqlite3_file* file) {
    delete Cast(file).journal;
    return SQLITE_OK;
  }
  static int JournalRead(sqlite3_file* file, void* into, int amount, sqlite3_int64 offset) {
    const MutableBytes buffer = Buffer(into, amount);
    auto got = Cast(file).journal->Read(static_cast<uint64_t>(offset), buffer);
    if (!got) return SQLITE_IOERR_READ;
    std::memset(buffer.data() + *got, 0, buffer.size() - *got);
    return *got == buffer.size() ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }
  static int JournalWrite(sqlite3_file* file, const void* from, int amount, sqlite3_int64 offset) {
    auto written = Cast(file).journal->Write(static_cast<uint64_t>(offset), Buffer(from, amount));
    return written ? SQLITE_OK : SQLITE_IOERR_WRITE;
  }
  static int JournalTruncate(sqlite3_file* file, sqlite3_int64 size) {
    return Cast(file).journal->Truncate(static_cast<uint64_t>(size)) ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
  }
  static int JournalSync(sqlite3_file* file, int) {
    return Cast(file).journal->Sync() ? SQLITE_OK : SQLITE_IOERR_FSYNC;
  }
  static int JournalSize(sqlite3_file* file, sqlite3_int64* size) {
    auto bytes = Cast(file).journal->Size();
    if (!bytes) return SQLITE_IOERR_FSTAT;
    *size = static_cast<sqlite3_int64>(*bytes);
    return SQLITE_OK;
  }

  // -- temporary files
  static int OpenTemporary(sqlite3_file* file, int flags, int* out_flags) {
    OpenFile& open = Cast(file);
    const MemoryBudget* budget = MemoryBudget::Current();
    if (!budget || !budget->store()) return SQLITE_CANTOPEN;
    auto temporary = TemporaryFile::Open(budget->store()->core_, budget->store()->path_);
    if (!temporary) return budget->store()->Refuse(SQLITE_CANTOPEN, std::move(temporary).error());
    open.store = budget->store();
    open.guard = budget->guard();
    open.temporary = temporary->release();
    file->pMethods = &kTemporaryMethods;
    if (out_flags) *out_flags = flags;
    return SQLITE_OK;
  }
  static int TemporaryClose(sqlite3_file* file) {
    delete Cast(file).temporary;
    return SQLITE_OK;
  }
  static int TemporaryRead(sqlite3_file* file, void* into, int amount, sqlite3_int64 offset) {
    NoteRead(Cast(file));
    const MutableBytes buffer = Buffer(into, amount);
    auto got = Cast(file).temporary->Read(static_cast<uint64_t>(offset), buffer);
    if (!got) return Cast(file).store->Refuse(SQLITE_IOERR_READ, std::move(got).error());
    std::memset(buffer.data() + *got, 0, buffer.size() - *got);
    return *got == buffer.size() ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }
  static int TemporaryWrite(sqlite3_file* file, const void* from, int amount, sqlite3_int64 offset) {
    NoteRead(Cast(file));
    auto written = Cast(file).temporary->Write(static_cast<uint64_t>(offset), Buffer(from, amount));
    if (written) return SQLITE_OK;
    const bool full = written.error().kind == ErrorKind::kTooLarge;
    return Cast(file).store->Refuse(full ? SQLITE_FULL : SQLITE_IOERR_WRITE, std::move(written).error());
  }
  static int TemporaryTruncate(sqlite3_file* file, sqlite3_int64 size) {
    return Cast(file).temporary->Truncate(static_cast<uint64_t>(size)) ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
  }
  static int TemporarySync(sqlite3_file*, int) { return SQLITE_OK; }
  static int TemporarySize(sqlite3_file* file, sqlite3_int64* size) {
    *size = static_cast<sqlite3_int64>(Cast(file).temporary->size());
    return SQLITE_OK;
  }
  static const sqlite3_io_methods kTemporaryMethods;

  // -- a file that was taken from its connection (DetachFiles)
  static int GoneClose(sqlite3_file*) { return SQLITE_OK; }
  static int GoneRead(sqlite3_file*, void*, int, sqlite3_int64) { return SQLITE_IOERR_READ; }
  static int GoneWrite(sqlite3_file*, const void*, int, sqlite3_int64) { return SQLITE_IOERR_WRITE; }
  static int GoneTruncate(sqlite3_file*, sqlite3_int64) { return SQLITE_IOERR_TRUNCATE; }
  static int GoneSync(sqlite3_file*, int) { return SQLITE_IOERR_FSYNC; }
  static int GoneSize(sqlite3_file*, sqlite3_int64*) { return SQLITE_IOERR_FSTAT; }
  static int GoneLock(sqlite3_file*, int) { return SQLITE_IOERR_LOCK; }
  static int GoneReserved(sqlite3_file*, int*) { return SQLITE_IOERR_CHECKRESERVEDLOCK; }
  static int GoneShmMap(sqlite3_file*, int, int, int, void volatile**) { return SQLITE_IOERR_SHMMAP; }
  static int GoneShmLock(sqlite3_file*, int, int, int) { return SQLITE_IOERR_SHMLOCK; }
  static int GoneShmUnmap(sqlite3_file*, int) { return SQLITE_OK; }
  static void Detach(sqlite3_file* file);

  // -- the VFS
  static int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags);
  static int Delete(sqlite3_vfs*, const char* name, int sync_directory) {
    const FoundFile found = FindStore(name);
    if (!found.store) return SQLITE_IOERR_DELETE_NOENT;
    if (found.role == FileRole::kWal) return found.store->DeleteWal(sync_directory != 0);
    auto removed = found.store->core_.disk().Remove(found.store->path_ + "-journal");
    return removed ? SQLITE_OK : SQLITE_IOERR_DELETE;
  }
  static int Access(sqlite3_vfs*, const char* name, int, int* answer) {
    *answer = 0;
    const FoundFile found = FindStore(name);
    if (!found.store) return SQLITE_OK;
    static constexpr const char* kSuffix[] = {"", "-wal", "-journal"};
    auto exists =
        found.store->core_.disk().Exists(found.store->path_ + kSuffix[static_cast<int>(found.role)]);
    if (!exists) return SQLITE_IOERR_ACCESS;
    *answer = *exists;
    return SQLITE_OK;
  }
  static int FullPath(sqlite3_vfs*, const char* name, int size, char* into) {
    if (static_cast<int>(std::strlen(name)) >= size) return SQLITE_CANTOPEN;
    std::strcpy(into, name);
    return SQLITE_OK;
  }
  static int Randomness(sqlite3_vfs* vfs, int size, char* into) {
    if (runtime::CurrentFiber() == nullptr) {
      auto* next = static_cast<sqlite3_vfs*>(vfs->pAppData);
      return next->xRandomness(next, size, into);
    }
    runtime::CurrentCore().FillRandom(Buffer(into, size));
    return size;
  }
  static int Sleep(sqlite3_vfs*, int microseconds) {
    TW_CHECK(runtime::CurrentFiber() != nullptr, "SQLite sleeps outside a fiber");
    runtime::SleepFor(std::chrono::microseconds(microseconds));
    return microseconds;
  }
  static int CurrentTime(sqlite3_vfs* vfs, sqlite3_int64* milliseconds) {
    if (runtime::CurrentFiber() == nullptr) {
      auto* next = static_cast<sqlite3_vfs*>(vfs->pAppData);
      return next->xCurrentTimeInt64(next, milliseconds);
    }
    *milliseconds = runtime::CurrentCore().UnixMilliseconds() + kUnixEpochJulianMs;
    return SQLITE_OK;
  }
  static int CurrentTimeDays(sqlite3_vfs* vfs, double* days) {
    sqlite3_int64 milliseconds = 0;
    const int code = CurrentTime(vfs, &milliseconds);
    *days = static_cast<double>(milliseconds) / 86'400'000.0;
    return code;
  }
  static int LastError(sqlite3_vfs*, int, char*) { return 0; }
};

namespace {

// No exception may cross SQLite.
template <auto Call, typename... Arguments>
int Caught(Arguments... arguments) noexcept {
  try {
    return Call(arguments...);
  } catch (const std::bad_alloc&) {
    return SQLITE_IOERR_NOMEM;
  }
}

const sqlite3_io_methods kMainMethods = {
    .iVersion = 2,  // No xFetch: no memory mapping.
    .xClose = VfsCalls::MainClose,
    .xRead = Caught<VfsCalls::MainRead>,
    .xWrite = Caught<VfsCalls::MainWrite>,
    .xTruncate = Caught<VfsCalls::MainTruncate>,
    .xSync = Caught<VfsCalls::MainSync>,
    .xFileSize = VfsCalls::MainSize,
    .xLock = VfsCalls::MainLock,
    .xUnlock = VfsCalls::MainUnlock,
    .xCheckReservedLock = VfsCalls::MainCheckReserved,
    .xFileControl = VfsCalls::FileControl,
    .xSectorSize = VfsCalls::SectorSize,
    .xDeviceCharacteristics = VfsCalls::Characteristics,
    .xShmMap = Caught<VfsCalls::ShmMap>,
    .xShmLock = VfsCalls::ShmLock,
    .xShmBarrier = VfsCalls::ShmBarrier,
    .xShmUnmap = VfsCalls::ShmUnmap,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

sqlite3_io_methods PlainMethods(int (*close)(sqlite3_file*),
                                int (*read)(sqlite3_file*, void*, int, sqlite3_int64),
                                int (*write)(sqlite3_file*, const void*, int, sqlite3_int64),
                                int (*truncate)(sqlite3_file*, sqlite3_int64),
                                int (*sync)(sqlite3_file*, int), int (*size)(sqlite3_file*, sqlite3_int64*)) {
  sqlite3_io_methods methods{};
  methods.iVersion = 1;
  methods.xClose = close;
  methods.xRead = read;
  methods.xWrite = write;
  methods.xTruncate = truncate;
  methods.xSync = sync;
  methods.xFileSize = size;
  methods.xLock = VfsCalls::NoLock;
  methods.xUnlock = VfsCalls::NoLock;
  methods.xCheckReservedLock = VfsCalls::NoReserved;
  methods.xFileControl = VfsCalls::FileControl;
  methods.xSectorSize = VfsCalls::SectorSize;
  methods.xDeviceCharacteristics = VfsCalls::Characteristics;
  return methods;
}

const sqlite3_io_methods kWalMethods =
    PlainMethods(VfsCalls::WalClose, Caught<VfsCalls::WalRead>, Caught<VfsCalls::WalWrite>,
                 Caught<VfsCalls::WalTruncate>, Caught<VfsCalls::WalSync>, VfsCalls::WalSize);
const sqlite3_io_methods kJournalMethods =
    PlainMethods(VfsCalls::JournalClose, VfsCalls::JournalRead, VfsCalls::JournalWrite,
                 VfsCalls::JournalTruncate, VfsCalls::JournalSync, VfsCalls::JournalSize);

}  // namespace

const sqlite3_io_methods VfsCalls::kTemporaryMethods =
    PlainMethods(VfsCalls::TemporaryClose, Caught<VfsCalls::TemporaryRead>, Caught<VfsCalls::TemporaryWrite>,
                 Caught<VfsCalls::TemporaryTruncate>, VfsCalls::TemporarySync, VfsCalls::TemporarySize);

namespace {

const sqlite3_io_methods kGoneMethods = {
    .iVersion = 2,
    .xClose = VfsCalls::GoneClose,
    .xRead = VfsCalls::GoneRead,
    .xWrite = VfsCalls::GoneWrite,
    .xTruncate = VfsCalls::GoneTruncate,
    .xSync = VfsCalls::GoneSync,
    .xFileSize = VfsCalls::GoneSize,
    .xLock = VfsCalls::GoneLock,
    .xUnlock = VfsCalls::GoneLock,
    .xCheckReservedLock = VfsCalls::GoneReserved,
    .xFileControl = VfsCalls::FileControl,
    .xSectorSize = VfsCalls::SectorSize,
    .xDeviceCharacteristics = VfsCalls::Characteristics,
    .xShmMap = VfsCalls::GoneShmMap,
    .xShmLock = VfsCalls::GoneShmLock,
    .xShmBarrier = VfsCalls::ShmBarrier,
    .xShmUnmap = VfsCalls::GoneShmUnmap,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

}  // namespace

void VfsCalls::Detach(sqlite3_file* file) {
  if (file->pMethods == &kGoneMethods) return;
  OpenFile& open = Cast(file);
  if (file->pMethods == &kMainMethods) {
    if (open.hold.exclusive_slots & (1u << WalIndex::kWriteSlot)) open.store->WriteLockReleased();
    ShmUnmap(file, 0);
  }
  file->pMethods->xClose(file);
  file->pMethods = &kGoneMethods;
}

namespace {

// The open files of a connection: the main file and the WAL.
template <typename Visit>
void ForEachFile(sqlite3* connection, const Visit& visit) {
  for (const int which : {SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER}) {
    sqlite3_file* file = nullptr;
    if (sqlite3_file_control(connection, "main", which, static_cast<void*>(&file)) != SQLITE_OK) continue;
    if (file && file->pMethods) visit(file);
  }
}

}  // namespace

void SetGuard(sqlite3* connection, ConnectionGuard* guard) {
  ForEachFile(connection, [&](sqlite3_file* file) {
    if (file->pMethods == &kMainMethods || file->pMethods == &kWalMethods) Cast(file).guard = guard;
  });
}

void DetachFiles(sqlite3* connection) {
  ForEachFile(connection, [](sqlite3_file* file) { VfsCalls::Detach(file); });
}

int VfsCalls::Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  OpenFile& open = Cast(file);
  std::memset(static_cast<void*>(&open), 0, sizeof open);
  if (!name) return OpenTemporary(file, flags, out_flags);
  const FoundFile found = FindStore(name);
  // Another name is not a tenant's.
  if (!found.store) return SQLITE_CANTOPEN;
  open.store = found.store;
  if (out_flags) *out_flags = flags;
  switch (found.role) {
    case FileRole::kMain: file->pMethods = &kMainMethods; return SQLITE_OK;
    case FileRole::kWal:
      if (const int code = found.store->OpenWal((flags & SQLITE_OPEN_CREATE) != 0); code != SQLITE_OK)
        return code;
      file->pMethods = &kWalMethods;
      return SQLITE_OK;
    case FileRole::kJournal: {
      auto journal =
          found.store->core_.disk().Open(found.store->path_ + "-journal", runtime::OpenMode::kCreate);
      if (!journal) return SQLITE_CANTOPEN;
      open.journal = journal->release();
      file->pMethods = &kJournalMethods;
      return SQLITE_OK;
    }
  }
  return SQLITE_CANTOPEN;
}

int SqliteVersion() {
  return sqlite3_libversion_number();
}

void InitializeSqlite() {
  static std::once_flag once;
  std::call_once(once, [] {
    TW_CHECK(sqlite3_config(SQLITE_CONFIG_MULTITHREAD) == SQLITE_OK,
             "SQLite was used before it was configured");
    TW_CHECK(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK,
             "SQLite was used before it was configured");
    InstallMemoryBudgets();
    InstallPauses();
    sqlite3_vfs* next = sqlite3_vfs_find(nullptr);
    static sqlite3_vfs vfs{};
    vfs.iVersion = 2;
    vfs.szOsFile = sizeof(OpenFile);
    vfs.mxPathname = 512;
    vfs.zName = kVfsName;
    vfs.pAppData = next;
    vfs.xOpen = Caught<VfsCalls::Open>;
    vfs.xDelete = VfsCalls::Delete;
    vfs.xAccess = VfsCalls::Access;
    vfs.xFullPathname = VfsCalls::FullPath;
    vfs.xRandomness = VfsCalls::Randomness;
    vfs.xSleep = VfsCalls::Sleep;
    vfs.xCurrentTime = VfsCalls::CurrentTimeDays;
    vfs.xGetLastError = VfsCalls::LastError;
    vfs.xCurrentTimeInt64 = VfsCalls::CurrentTime;
    TW_CHECK(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK, "the VFS could not be registered");
    BoundFunctions();
  });
}

void ResetRandomness() {
  sqlite3_randomness(0, nullptr);
}

}  // namespace tradewind::sqlite
