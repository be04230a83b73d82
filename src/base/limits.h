// Every bound of the program in one place, each with its unit in its name.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tradewind::limits {

using std::chrono::milliseconds;

inline constexpr size_t kNameLength = 63;

// Fibers. The stacks are virtual memory; only touched pages cost anything (the deepest statement measured
// that the SQL limits below allow needs 1.25 MiB, with AddressSanitizer 1.6 MiB).
inline constexpr size_t kFiberStackBytes = 8u << 20;
inline constexpr size_t kIdleFiberStacks = 256;
// The idle stacks that will be used next keep all their memory, since touching it again costs more than the
// rest of a fiber; the others keep this much. A guard at the end of each stack is wide enough that no frame
// steps over it.
inline constexpr size_t kIdleWholeStacks = 8;
inline constexpr size_t kIdleStackBytes = 64u << 10;
inline constexpr size_t kStackGuardBytes = 64u << 10;
inline constexpr size_t kBlockingThreads = 8;
// Threads for what takes long to compute: as many as there are processors, and at least so many, since nobody has the
// last one. They stand back for the cores by so much of nice: a core has three times as much where both want all.
inline constexpr size_t kLeastComputingThreads = 2;
inline constexpr int kComputingStandsBack = 5;
// A busy core looks for input and output at least this often (but for a fiber that does not suspend).
inline constexpr std::chrono::microseconds kPollInterval{20};
inline constexpr int kListenBacklog = 1024;

// Between two looks at whether another process has ended: first, and at last.
inline constexpr milliseconds kProcessLook{1};
inline constexpr milliseconds kProcessLookLongest{50};

// File descriptors. Of the process's limit an eighth, within these bounds, is kept for moves, the journal and what
// is open for a moment; of the rest tenants have a half, or what --open-tenants needs if that is less, and connections
// the other.
inline constexpr uint64_t kLeastReservedDescriptors = 64;
inline constexpr uint64_t kMostReservedDescriptors = 1'024;
// A node takes no more cores by itself than have so many of the process's descriptors each, and so many open tenants.
inline constexpr uint64_t kLeastFilesPerCore = 512;
inline constexpr uint64_t kLeastOpenTenantsPerCore = 16;
// A call that finds none left waits this long.
inline constexpr milliseconds kDescriptorWait{10'000};
inline constexpr milliseconds kDescriptorPause{5};  // Between two tries.

// Client requests.
inline constexpr size_t kRequestBodyBytes = 64u << 20;
inline constexpr size_t kRequestHeaderBytes = 64u << 10;
inline constexpr size_t kResponseBytes = 10u << 20;
// One pipeline: its statements (steps of batches too), the stored SQL that is put in their places, and its
// results together. No request is run whose result of kResponseBytes might not fit any more.
inline constexpr size_t kPipelineStatements = 100'000;
inline constexpr size_t kPipelineStoredSqlBytes = 32u << 20;
inline constexpr size_t kPipelineAnswerBytes = 128u << 20;
inline constexpr size_t kErrorTextBytes = 4u << 10;   // Of one error's sentence; the rest is cut off.
inline constexpr size_t kRememberedStreams = 10'000;  // Of which a gateway can say why they ended.
inline constexpr milliseconds kStreamIdle{10'000};    // Unless --stream-idle says otherwise, within these.
inline constexpr milliseconds kStreamIdleLeast{1'000};
inline constexpr milliseconds kStreamIdleMost{3'600'000};
inline constexpr milliseconds kStreamSweep{1'000};
// Of a cursor's entries what one call fetches, about; twice as much lies at the owner. Less is fetched when no more has come
// for kCursorLinger, and the cursor ends when nobody fetches for kCursorIdle, or this where no memory is left.
inline constexpr size_t kCursorPieceBytes = 128u << 10;
inline constexpr milliseconds kCursorLinger{5};
inline constexpr milliseconds kCursorIdle{60'000};
inline constexpr milliseconds kCursorIdleWhenFull{1'000};
// WebSockets: of one message; how long one may say nothing; its requests that are under way, and their bytes, before no more
// are read; its streams, and its open cursors.
inline constexpr size_t kWebSocketMessageBytes = 64u << 20;
inline constexpr milliseconds kWebSocketIdle{3'600'000};
inline constexpr size_t kWebSocketRequests = 128;
inline constexpr size_t kWebSocketRequestBytes = 1u << 20;
inline constexpr size_t kWebSocketStreams = 128;
inline constexpr size_t kStoredSqlPerSocket = 150;  // JavaScript's client keeps 100.
inline constexpr size_t kGzipLeastBytes =
    4u << 10;                                  // Of an answer that is packed for a client that asks for it.
inline constexpr int kPreflightSeconds = 600;  // A browser need not ask again for so long.
inline constexpr milliseconds kIdleHttpConnection{300'000};
// A body that comes, or an answer that is taken: this long, and longer only as far as bytes pass at the rate.
inline constexpr milliseconds kHttpMessageTime{60'000};
inline constexpr uint64_t kHttpLeastBytesPerSecond = 32u << 10;
inline constexpr size_t kHttpPieceBytes = 256u << 10;   // Of an answer, between two looks at that.
inline constexpr milliseconds kPageLinkWrite{60'000};   // Until a frame is taken.
inline constexpr milliseconds kHttpHeaderTime{10'000};  // From its first byte to its end.
inline constexpr milliseconds kHttpLinger{2'000};
inline constexpr milliseconds kTlsHandshake{10'000};  // Of a client, from the server's first look at it on.
// Between two looks at whether the client of a request that runs is still there.
inline constexpr milliseconds kCallerLook{20};
inline constexpr milliseconds kHttpAcceptPause{100};
inline constexpr size_t kHttpConnections = 20'000;
// A connection goes to another core of the node after so many requests in a row for what that has.
inline constexpr int kHandOverAfter = 16;
inline constexpr uint64_t kLeastHttpConnections = 8;  // However few descriptors there are.
inline constexpr milliseconds kHttpLeastIdle{1'000};  // Before a connection is closed for another one.
// What an idle connection costs; the buffer grows with a long header.
inline constexpr size_t kHttpReadBytes = 4u << 10;
// A larger body is written by itself instead of being copied behind its header.
inline constexpr size_t kHttpJoinedBodyBytes = 64u << 10;
inline constexpr size_t kAnswerBodyBytes = 160u << 20;
// Between nodes: a client's request with stored SQL in its places and JSON written another way, or its
// answers with all that a stream takes along, is never larger than this. And what its header may have beyond
// a client's.
inline constexpr size_t kSealedBodyBytes = 512u << 20;
inline constexpr size_t kSealedHeaderBytes = 1u << 10;
inline constexpr int kDamagedCallTries = 3;  // Of a call between nodes that came damaged.
inline constexpr size_t kPooledConnectionsPerAddress = 64;
inline constexpr milliseconds kIdlePooledConnection{60'000};
inline constexpr size_t kStoredSqlPerStream = 50;
inline constexpr size_t kStoredSqlBytesPerStream = 16u << 20;
inline constexpr size_t kStoredSqlBytesPerTenant = 64u << 20;  // At one gateway.
inline constexpr size_t kStreamsPerTenant = 128;

// What runs lets others run after this time. A neighbour's request waits for half of it, as a rule.
inline constexpr std::chrono::microseconds kTimeSlice{200};
// And after this one, if input has come meanwhile and nobody waits for a lock of its own; what is long, or works for
// nobody, after kPollInterval.
inline constexpr std::chrono::microseconds kShortTurnLook{50};
// A request that has had more of the core waits behind those that have not (runtime/turn_queue.h).
inline constexpr std::chrono::microseconds kShortRequest{500};
// A message of more bytes is decoded off the core: 30 to 100 ns a byte.
inline constexpr size_t kOffCoreBytes = 64u << 10;
// A turn that takes longer is counted: nothing should.
inline constexpr milliseconds kLongTurn{20};

// Statements.
inline constexpr milliseconds kStatementTime{60'000};
inline constexpr milliseconds kEndingTime{100};  // Then a statement that was told to end gets no more memory.
inline constexpr milliseconds kWriteTurnWait{10'000};
// For so long a tenant that changes its core waits for what is open on it, and at a time so long everything that begins
// waits for that.
inline constexpr milliseconds kCoreChangeWait{5'000};
inline constexpr milliseconds kCoreChangePark{20};
inline constexpr milliseconds kWriteTurnHeldWhileWanted{5'000};
inline constexpr int kProgressInstructions = 500;
inline constexpr int kSqlTextBytes = 16 << 20;
inline constexpr int kValueBytes = 64 << 20;
inline constexpr size_t kClausesPerStatement = 2'000;  // Compiling takes time by its square.
inline constexpr int kLikePatternBytes = 50'000;
inline constexpr int kLikePatternBytesUnbounded = 1'000;  // Where SQLite's own LIKE does it, by recursion.
// Of an SQL function's arguments together (sqlite/function_bounds.h). SQLite's own functions take 1 to 15 ns a byte.
inline constexpr int64_t kNotedArgumentBytes = 4 << 10;  // From here on it is looked at which function it is.
inline constexpr int64_t kLargeArgumentBytes = 32 << 10;  // From here on off the core.
// Bytes of one argument by bytes of the other, of functions that take as many steps, or nearly.
inline constexpr double kQuadraticCostOnCore = 1e6;
inline constexpr double kQuadraticCost = 1e11;
// Bytes of JSON by paths in it. A hundred paths in 60 MB take some seconds, in which the statement cannot be ended.
inline constexpr double kJsonPathsCost = 1e10;
// Memory (base/memory_pool.h). Of the process: the part of the machine's or the control group's that it may take,
// unless serve --memory says otherwise. A tenant, a statement and what else is large may each take what is still
// free, and no more than their own bound; whoever has less than the spare is refused only when nothing is left.
inline constexpr uint64_t kMemoryShareOfMachine = 2;  // One part in so many.
inline constexpr uint64_t kLeastMemoryBytes = 128u << 20;
inline constexpr uint64_t kSpareMemoryBytes = 1u << 20;
// The process is nearly full when less than one part in so many would be free. Then a statement is refused only what
// goes beyond this: COMMIT and ROLLBACK need no more.
inline constexpr uint64_t kNearlyFullPartLeft = 16;
inline constexpr uint64_t kLittleMemoryBytes = 64u << 10;
inline constexpr uint64_t kTenantMemoryBytes = 1u << 30;
// Temporary files of all statements of the process. One may take what is still free; never more than this part of
// what the disk has free.
inline constexpr uint64_t kTemporaryFileBytes = 16ull << 30;
inline constexpr uint64_t kTemporaryShareOfDisk = 2;
// Written between two waits for the disk to begin with it.
inline constexpr uint64_t kTemporaryWritebackBytes = 8u << 20;
// What SQLite takes at once and is as large is a mapping of its own.
inline constexpr int kLargeBlockBytes = 8 << 20;
// What a table that a statement keeps apart has in memory: a file that is read and written at random is several times as
// slow, but it is little that a statement may be sure of.
inline constexpr int kLeastEphemeralCacheKib = 2'000;
inline constexpr int kMostEphemeralCacheKib = 32'768;
// What SQLite may take for a statement that runs (what it sorts or keeps apart goes to files; a transaction's pages
// come to less), and to compile one: in all, and for each byte of its text. A call of the allocator stands for a
// microsecond of the core, which a compilation does not give up.
inline constexpr size_t kStatementMemoryBytes = 512u << 20;
inline constexpr size_t kCompilerMemoryBytes = 256u << 20;
inline constexpr size_t kCompilerMemoryBytesPerByte = 64;
inline constexpr uint64_t kCompilerAllocations = 5'000'000;
inline constexpr uint64_t kCompilerAllocationsPerByte = 4;
// These three are SQLite's own.
inline constexpr int kExpressionDepth = 1'000;
inline constexpr int kCompoundSelectTerms = 500;
inline constexpr int kFunctionArguments = 1'000;
inline constexpr size_t kDirtyMemoryBytes = 256u << 20;
inline constexpr int kSchemaObjects = 4'000;
inline constexpr int kTriggerDepth = 1'000;
inline constexpr size_t kPreparedStatements = 64;                // Kept by each connection.
inline constexpr size_t kPreparedStatementSqlBytes = 16u << 10;  // A longer one is not kept.
inline constexpr size_t kPooledConnections = 8;                  // Of one tenant, idle.
inline constexpr milliseconds kBusyPause{1};                     // Between tries for a lock of SQLite's own.
inline constexpr milliseconds kBusyPauseLongest{20};
// How long a node waits for a program that has a tenant's file open when the node is to open it.
inline constexpr milliseconds kFileInUseWait{1'000};
inline constexpr milliseconds kFileInUsePause{20};
inline constexpr int kExportPages = 64;  // Between two turns of an export.

// Tenants that are open at a time, unless --open-tenants says otherwise, and as far as descriptors go: a small one
// takes some 300 KB of memory. The last kOpenTenantsSpare of a bound are closed in the background, so that opening one
// does not wait for another to close.
inline constexpr size_t kOpenTenants = 10'000;
inline constexpr size_t kFilesPerTenant = 2;
inline constexpr size_t kOpenTenantsSpare = 64;
inline constexpr milliseconds kOpenTenantWait{10'000};  // For one of those to be idle, when all are in use.
// The pages used last that a closed tenant is remembered with, if it has more than these.
inline constexpr size_t kRememberedHotPages = 1'024;
// What is left of the write-ahead log of a tenant that was closed for idleness: room for three pages of 4 KiB.
inline constexpr uint64_t kBlankWalBytes = 16u << 10;

// The write-ahead log of a tenant is checkpointed once it is longer than this.
inline constexpr uint32_t kCheckpointFrames = 4'000;
// Beyond this many, writers wait until a checkpoint has caught up; for their turn it waits this long.
inline constexpr uint32_t kLongWalFrames = 3 * kCheckpointFrames;
inline constexpr milliseconds kCatchUpWait{1'000};
// A transaction that only reads, has been open for so long, and keeps a long WAL from being cut, is rolled back; when the
// WAL has more than kMostWalFrames, whatever its age.
inline constexpr milliseconds kSnapshotTime{60'000};
inline constexpr uint32_t kMostWalFrames = 64 * kCheckpointFrames;
inline constexpr milliseconds kLongWalLook{1'000};  // Between two looks at what keeps it long.

// Moves.
inline constexpr size_t kPageBatchBytes = 128u << 10;
// Pushed and not yet taken: what a request, or a pull's answer, may find before it in the link. As much as is
// taken in kPushWindowTime, but within these, and more where the round trip is long.
inline constexpr size_t kPushWindowLeastBytes = 128u << 10;
inline constexpr size_t kPushWindowBytes = 256u << 10;
inline constexpr milliseconds kPushWindowTime{1};
inline constexpr size_t kFrameBytes = 16u << 20;
// What has come on one channel and was not taken: more than any window and the longest frames.
inline constexpr size_t kChannelWaitingBytes = 64u << 20;
// Of one direction of a channel's stream: on their way and unread.
inline constexpr size_t kStreamWindowBytes = 256u << 10;
// Of the wireframe, what is sent before the hand-over: whatever the size of a tenant, that takes as long. The
// disk needs some 8 ms to sync so much in scattered pages.
inline constexpr size_t kWireframeTopBytes = 256u << 10;
// A tenant up to this size is sent whole before the hand-over.
inline constexpr uint64_t kSmallTenantBytes = 1u << 20;
// The warm-up with what is hot: at most this much, and at most one part in kHotShare of the tenant.
inline constexpr uint64_t kHotBytes = 64u << 20;
inline constexpr uint64_t kHotShare = 4;
// A pull's answer brings at most this much along that will be wanted next.
inline constexpr size_t kReadAheadBytes = 128u << 10;
// Pushed and not yet taken where the round trip is long: as much as it takes, up to this.
inline constexpr size_t kPushWindowMostBytes = 16u << 20;
// Transactions that are still open at the source when the destination has everything: they have been open for
// at least as long as it took, and end with the source's copy.
inline constexpr milliseconds kOldTransactions{60'000};
// Open transactions of the source when its tenant comes back (a cancelled move).
inline constexpr milliseconds kReverseGrace{1'000};
// How long a move waits for a node that takes part in too many.
inline constexpr milliseconds kBusyWait{60'000};
inline constexpr size_t kMovesIn = 64;  // Moves to one node at a time; more are told to wait.
// A drain moves this many tenants at a time, and no more bytes than this but for a single larger one.
inline constexpr size_t kDrainMoves = 24;
inline constexpr uint64_t kDrainBytes = 512u << 20;
inline constexpr milliseconds kDrainRetryPause{250};  // Doubles with each try of a tenant, up to the longest.
inline constexpr milliseconds kDrainRetryPauseLongest{10'000};
inline constexpr uint32_t kDrainTries = 4;           // Before a drain names the tenant as one that fails.
inline constexpr milliseconds kNodeWatch{1'000};     // Between two looks of a drain at the other nodes.
inline constexpr milliseconds kSwappingWait{5'000};  // Of a cancel, for a hand-over that is being decided.
inline constexpr milliseconds kMoveWatchPoll{200};
// The setpoint of a move that was given none: so many times the usual latency, and at least this.
inline constexpr double kSetpointByUsual = 2;
inline constexpr double kLeastSetpointMs = 5;
inline constexpr milliseconds kPullDeadline{10'000};
inline constexpr milliseconds kOpenWriterGrace{2'000};
inline constexpr milliseconds kReadyWait{5'000};
// How long one try at freezing a tenant for its hand-over may take, and what its requests have between two.
inline constexpr milliseconds kFreezeWait{1'000};
inline constexpr milliseconds kFreezePause{500};
// Pages that arrive between two syncs of the presence map: what a crash of the destination has sent again. With
// 16 MB, a move took twice as long.
inline constexpr uint64_t kPresenceSyncBytes = 64u << 20;
// Pages that arrive before the disk is told to begin with them.
inline constexpr uint64_t kWritebackBytes = 1u << 20;
inline constexpr milliseconds kParkedRequest{15'000};
inline constexpr milliseconds kReconnectPause{100};
inline constexpr milliseconds kCatalogWatch{500};
inline constexpr milliseconds kNodeCall{10'000};
// Of a call to another node, whatever its own deadline. A connection that takes longer is to a node that is
// away; a caller may try again.
inline constexpr milliseconds kConnectTime{3'000};
inline constexpr milliseconds kPeerSilence{30'000};  // Until a connection to a host that is gone is given up.
// Of a create or delete, for others that have the name, and again for a catalog that does not answer: both
// together less than kNodeCall.
inline constexpr milliseconds kNameWait{4'000};

// A node's journal. What begins something leaves the reserve free: it is for what ends a move or a deletion
// when the disk is full, some three records of 250 bytes for each move that may be on.
inline constexpr uint64_t kJournalReserveBytes = 128u << 10;
inline constexpr uint64_t kJournalRoomBytes = 64u << 10;  // It grows by.
// It is rewritten when it is longer than this, and so many times what it would be then.
inline constexpr uint64_t kJournalRewriteBytes = 1u << 20;
inline constexpr uint64_t kJournalRewriteFactor = 4;
inline constexpr milliseconds kJournalSealPause{1'000};  // After the last record.
inline constexpr size_t kJournalEvidenceFiles = 8;
// Between two tries of what a failing disk keeps from being done.
inline constexpr milliseconds kDiskRetryPause{500};

// How long a node that is asked to end lets requests in progress go on.
inline constexpr milliseconds kDrain{1'000};
inline constexpr size_t kTenantsClosedAtOnce = 32;  // Each waits for its syncs, so they go side by side.
inline constexpr milliseconds kLocatePause{5};
inline constexpr milliseconds kLocatePauseLongest{200};

// MySQL's protocol.
inline constexpr size_t kMysqlReadBytes = 16u << 10;  // Of a login, and of a server's answer to this program.
inline constexpr size_t kMysqlLoginPacketBytes = 64u << 10;
// Of an answer that passes, what is kept of one packet: an OK with the changes of its session, an error.
inline constexpr size_t kMysqlHeldAnswerBytes = 64u << 10;
// The same of a request: to prepare a statement, to execute it with types put in.
inline constexpr size_t kMysqlHeldRequestBytes = 16u << 20;
inline constexpr size_t kMysqlAnswerBytes = 64u << 20;  // What a server answers to this program.
// Of a session, what is kept to be made again at another server. Beyond it, it stays where it is.
inline constexpr size_t kMysqlPreparedStatements = 16'382;  // MariaDB's own bound, of all sessions.
inline constexpr size_t kMysqlPreparedTextBytes = 16u << 20;
// A client's login, from its connection on; and what the tenant's owner may take for it, with a server that starts.
inline constexpr milliseconds kMysqlLogin{20'000};
inline constexpr milliseconds kMysqlTake{
    60'000};  // For a client to take a piece of its answer, or to send the next.
inline constexpr size_t kMysqlConnections = 10'000;  // Of clients, at the port of a node.
// Between nodes: a frame of a session, and what of a server's answer waits for its client there.
inline constexpr size_t kMysqlFrameBytes = 128u << 10;
inline constexpr size_t kMysqlDataFrameBytes = 64u << 10;
inline constexpr size_t kMysqlLinkBytes = 256u << 10;
inline constexpr size_t kMysqlNamedThings = 64;  // Temporary tables, locks, handlers: of each.

// Instances of MariaDB. A start ends with the server's recovery from its redo log, however long that is.
inline constexpr milliseconds kInstanceStart{600'000};
inline constexpr milliseconds kInstanceStartLook{10};  // Between two tries to log in at one that starts.
inline constexpr milliseconds kInstanceLook{50};       // Between two looks at whether one still runs.
// From its end to its next start; twice as long each time that it did not live for kInstanceLives.
inline constexpr milliseconds kInstancePause{100};
inline constexpr milliseconds kInstancePauseLongest{30'000};
inline constexpr milliseconds kInstanceLives{60'000};
inline constexpr milliseconds kInstanceAnswer{5'000};  // Of one that runs, before it counts as hanging.
inline constexpr milliseconds kInstanceStop{30'000};   // Of one that cannot be adopted, before it is killed.
inline constexpr milliseconds kInstanceOwnerWatch{
    5'000};  // Between two looks at whose it is, by the catalog.
// Of a new tenant's server, to answer and to have its account.
inline constexpr milliseconds kInstanceFirstAnswer{20'000};
inline constexpr int kInstancePorts = 3;            // That are tried, where another program is faster.
inline constexpr size_t kInstanceLogBytes = 2'000;  // Of its log, in an error's sentence.
inline constexpr milliseconds kInstanceTemplate{120'000};
// Backups of instances. The end of a round of copying the redo log is what commits wait for at a backup's end.
inline constexpr milliseconds kBackupLogInterval{10};
inline constexpr milliseconds kBackupLockWait{
    10'000};  // For LOCK TABLES of others, before its last stages begin.
inline constexpr milliseconds kBackupBlocked{5'000};  // In them, without a byte.
inline constexpr milliseconds kPrepareLook{
    5};  // Between two looks at what a preparation has used of the disk.
// Copies that are compared: until a replica is where the other's snapshot is; until a server that is asked for rows has some;
// between two looks at who waits for a table that is read.
inline constexpr milliseconds kChecksumTable{3'600'000};
inline constexpr milliseconds kChecksumRows{600'000};
inline constexpr milliseconds kChecksumLook{200};
inline constexpr milliseconds kChecksumGivesWay{1'000};  // To whoever waits for a table that is read.
inline constexpr uint64_t kCopyWriteBackBytes =
    8u << 20;  // Of a copy, before the disk is told to begin with them.
// How often a snapshot that is sent looks whether it may be held back, and at the redo log of its instance.
inline constexpr milliseconds kSnapshotLook{5};
inline constexpr milliseconds kRedoLogLook{200};
// What a preparation may use of its disk before it has said that it has used what it was given.
inline constexpr uint64_t kPrepareAheadBytes = 1u << 20;
// A round of catching up that takes no longer is the last one before the freeze.
inline constexpr milliseconds kCatchUpRound{50};
inline constexpr milliseconds kReplicaLook{100};        // Between two looks at whether a replica follows.
inline constexpr milliseconds kDrainTransactions{500};  // Of clients, in one try at a freeze.
// One step of freezing an instance: nobody else waits for longer, and it is tried again.
inline constexpr milliseconds kFreezeStep{5};

// The admin API.
inline constexpr milliseconds kNodeProbe{1'000};  // For a list that should not wait for a node that is away.
// A call that does something, at another node: as long as it may take here, where nothing ends it.
inline constexpr milliseconds kForwardedCall{120'000};
inline constexpr milliseconds kTransferCall{600'000};  // A copy of a whole tenant, or the check of an import.
inline constexpr size_t kOpenTransfers = 16;
inline constexpr size_t kTransferChunkBytes = 4u << 20;
inline constexpr size_t kTransferWriteBytes = 256u << 10;  // Between two turns of a node that takes a chunk.
inline constexpr milliseconds kTransferIdle{300'000};

// The catalog.
inline constexpr size_t kListedMoves = 1'000;
inline constexpr size_t kKeptMoves = 10'000;  // That are over.
inline constexpr int kCatalogTries = 3;       // Of calls whose repeat is harmless.
inline constexpr size_t kCachedLocations = 100'000;

// What these bounds are to one another.
static_assert(kIdleWholeStacks <= kIdleFiberStacks && kIdleStackBytes < kFiberStackBytes);
static_assert(kLeastReservedDescriptors <= kMostReservedDescriptors);
static_assert(kDescriptorPause < kDescriptorWait);
// Turns: the sensor of input and output looks within a slice, and a turn that is too long is more than a request.
static_assert(kPollInterval < kShortTurnLook && kShortTurnLook < kTimeSlice && kTimeSlice < kShortRequest &&
              kShortRequest < kLongTurn);

// One result fits into its pipeline's answer; that into an answer; and a request with its stored SQL, or an answer, into
// what nodes say to each other, written as JSON in another way.
static_assert(kResponseBytes <= kPipelineAnswerBytes && kPipelineAnswerBytes < kAnswerBodyBytes);
static_assert(kSealedBodyBytes > 2 * (kRequestBodyBytes + kPipelineStoredSqlBytes));
static_assert(kSealedBodyBytes > 2 * kAnswerBodyBytes);
static_assert(kHttpReadBytes < kRequestHeaderBytes && kHttpJoinedBodyBytes <= kHttpPieceBytes);
static_assert(kStoredSqlBytesPerStream <= kStoredSqlBytesPerTenant);
static_assert(kStreamSweep < kStreamIdle);
static_assert(kCursorLinger < kCursorIdleWhenFull && kCursorIdleWhenFull < kCursorIdle);
static_assert(kHttpHeaderTime < kHttpMessageTime && kHttpLeastIdle < kIdleHttpConnection);
static_assert(kLeastHttpConnections < kHttpConnections);
// The side that uses pooled connections closes them first, so that none is closed as a request goes out on it.
static_assert(kIdlePooledConnection < kIdleHttpConnection);

// A writer that is wanted ends before the next one has waited too long, and that before its statement's time is over.
static_assert(kWriteTurnHeldWhileWanted < kWriteTurnWait && kWriteTurnWait < kStatementTime);
static_assert(kEndingTime < kStatementTime);
static_assert(kSqlTextBytes <= kValueBytes && kPreparedStatementSqlBytes <= kSqlTextBytes);
static_assert(kLikePatternBytesUnbounded < kLikePatternBytes);
static_assert(kNotedArgumentBytes < kLargeArgumentBytes && kLargeArgumentBytes < kValueBytes);
static_assert(kQuadraticCostOnCore < kJsonPathsCost && kJsonPathsCost < kQuadraticCost);
static_assert(kLittleMemoryBytes < kSpareMemoryBytes);
static_assert(kSpareMemoryBytes < kLeastMemoryBytes / kNearlyFullPartLeft);
static_assert(kCompilerMemoryBytes <= kStatementMemoryBytes && kStatementMemoryBytes <= kTenantMemoryBytes);
static_assert(kDirtyMemoryBytes < kStatementMemoryBytes);
static_assert(kLeastEphemeralCacheKib <= kMostEphemeralCacheKib);
static_assert(kTemporaryWritebackBytes < kTemporaryFileBytes);
static_assert(kBusyPause <= kBusyPauseLongest && kFileInUsePause < kFileInUseWait);

static_assert(kOpenTenantsSpare < kOpenTenants);
static_assert(kBlankWalBytes >= 32 + 3 * (24 + 4096));
static_assert(kCheckpointFrames < kLongWalFrames && kLongWalFrames < kMostWalFrames);

// A push window holds a batch, and a channel what is pushed with the two longest frames.
static_assert(kPageBatchBytes <= kPushWindowLeastBytes && kPushWindowLeastBytes <= kPushWindowBytes);
static_assert(kPushWindowBytes <= kPushWindowMostBytes);
static_assert(kPageBatchBytes + kReadAheadBytes < kFrameBytes);
static_assert(kPushWindowMostBytes + 2 * kFrameBytes <= kChannelWaitingBytes);
static_assert(kWritebackBytes < kPresenceSyncBytes);
// What a drain starts, another node takes.
static_assert(kDrainMoves <= kMovesIn);
static_assert(kDrainRetryPause <= kDrainRetryPauseLongest);
static_assert(kLocatePause <= kLocatePauseLongest && kLocatePauseLongest < kParkedRequest);
static_assert(kConnectTime < kNodeCall && kNodeProbe < kNodeCall && kNodeCall < kForwardedCall);
static_assert(kForwardedCall < kTransferCall);
static_assert(2 * kNameWait < kNodeCall);
static_assert(kTransferWriteBytes <= kTransferChunkBytes && kTransferChunkBytes <= kRequestBodyBytes);

static_assert(kMysqlDataFrameBytes <= kMysqlFrameBytes && kMysqlFrameBytes <= kMysqlLinkBytes);
static_assert(2 * kMysqlLoginPacketBytes <= kMysqlFrameBytes);
static_assert(kMysqlLoginPacketBytes <= kMysqlHeldRequestBytes && kMysqlReadBytes <= kMysqlLoginPacketBytes);

// Three records for each move that may be on.
static_assert(3 * 250 * (kMovesIn + kDrainMoves) <= kJournalReserveBytes);
static_assert(kJournalReserveBytes < kJournalRewriteBytes);

}  // namespace tradewind::limits
