/* A move of one tenant from node S (source) to node D (destination), and back when it is cancelled late.

   What is modelled. The move protocol as built: who may start transactions, which node holds the newest
   version of which page, what is durable when, and what a crash, a broken connection, a catalog that is away
   or an answer that is lost leaves behind. The files follow the steps of the protocol in docs/move.md:
   node.pml (what a crash, a restart and a broken connection leave), hand_over.pml (steps 1 to 6), finish.pml
   (7 to 9), reverse.pml (10), transactions.pml (11); state, environment and processes are here. Every step is
   one indivisible action (d_step); between two actions anything may happen that the environment at the end
   can do.

   Abstractions
   - Two pages. A page's content is the set of the transactions that wrote it (one bit each, initially
     `kInitial`), so a lost write is a missing bit. A sync makes what was written before it durable; a crash
     takes the rest.
   - A WAL frame that was synced counts as presence and as "written here"; checkpoints, torn writes, the
     wireframe, free leaves, file sizes and hashes are not there. Equal sums: `Complete` is believed only with
     all pages present. With MISMATCHES the sums may turn out to differ, whatever the reason: the move then stops
     until the operator has them compared again, or cancels.
   - Transactions: one writer that was opened at S and can stay open through the whole move; requests through
     a gateway that caches a location (each writes page 0, or reads page 0 and writes page 1); with READERS a
     reader that was opened at S and reads its two pages at different moments.
   - The write turn and its grace only make an open writer rare: here the writer is simply open, or not.
   - A connection is one pair of queues; breaking it loses what is in them, and both sides notice at once. A
     list belongs to its connection (in the reverse direction a new connection brings a new list), so the
     number of a list is not needed: that a `Ready` speaks of the list of its own connection is the rule, and
     OLDLIST breaks it.
   - The operator cancels at most once, at any moment. A forward move begins anew, with a new list, as long as
     the connection breaks before its swap; it can be given up whenever it has none.

   Invariants, and where each is asserted (find the name)
   I1 at most one node starts transactions, the catalog's owner: I1_only_the_owner_starts (begin
      of a transaction), I1_the_sender_knows_its_swap (a refused swap), I1_an_owner_by_the_catalog (becoming
      one)
   I2 the newest version of a page is in one place: I2_newest_version_is_read (every
      read), I2_the_owner_has_a_copy (a request asks for the owner), I2_everything_sent_arrived (Complete)
   I3 transactions of the source precede those of the destination: I2_newest_version_is_read for
      writers (what an acknowledged transaction wrote or saw is seen by all that start later),
      I3_reader_sees_one_snapshot
   I4 an acknowledged commit is durable and whole: I4_acknowledged_is_durable,
      I4_transactions_are_whole (both at the end)
   I5 no copy goes before another is complete and durable, or while the two are known to differ:
      I5_another_copy_is_complete, I5_the_sums_are_equal, I5_no_reader_is_open (every deletion)
   R  restarts: R_the_map_is_that_of_the_journal, R_the_journal_is_settled (at the end).
   Every run ends with one owner and one copy, in the state `move_is_over`: a run that stops elsewhere is an
   invalid end state of `monitor`.

   Bounds: FAILURES a run, REQUESTS through the gateway, CANCELS and WRITERS 0 or 1, REPEATS (pages that come
   twice) 0 or 1, MISMATCHES 0 or 1, READERS on or off; queues of three messages.
   -DWRONG_<NAME> selects a wrong reading of the protocol; check.py shows that each of them fails. */

#ifndef FAILURES
#define FAILURES 1
#endif
#ifndef REQUESTS
#define REQUESTS 1
#endif
#ifndef CANCELS
#define CANCELS 1
#endif
#ifndef WRITERS
#define WRITERS 1
#endif
#ifndef REPEATS
#define REPEATS 0
#endif
#ifndef MISMATCHES
#define MISMATCHES 0
#endif

#define SOURCE 0
#define DESTINATION 1
#define NO_PAGE 0
#define PAGE_0 1
#define PAGE_1 2
#define BOTH_PAGES 3
#define UNKNOWN_SET 4     /* `sent`, before the receiver's Hello */
#define kInitial 16
#define kWriter 1         /* the bit of the writer at S; request i has bit 1 << i */
#define kQueue 3

/* The phase of a node; the journal holds some of them, and a restart goes on in the one that it names. */
mtype:Phase = {
  absent,      /* no copy here */
  owned,       /* serves; no move is on, or none any more */
  sending,     /* S in init: serves and sends pages */
  listed,      /* the list is sent, new transactions are parked */
  swapping,    /* the swap is sent, or may have been */
  dual,        /* the peer owns; frozen but for transactions that are open still; answers pulls, pushes */
  receiving,   /* D in init: no ready was sent */
  frozen,      /* S, offered its tenant back: its copy is the newest of what D never wrote; never dropped */
  preparing,   /* between the durable map of a list and the journal's ready */
  ready,       /* neither served nor dropped until the catalog says what became of the swap */
  owner,       /* serves, and still lacks pages or the end of the move */
  down
};
mtype:Record = { forward, reverse, done, cancelled };                            /* the move in the catalog */
mtype = { InitOffer, InitPage, List, Ready, Own, Hello, Page, Complete, Offer, Closed };   /* the messages */
mtype:Call = { no_call, in_flight, applied, refused, answer_lost };    /* the swap, as its sender sees it */
mtype:Work = { not_begun, open, half_read, committed, over };          /* the writer, the reader at S */
mtype:Request = { none, at_gateway, at_node, running, written };

/* -- A node */
mtype:Phase phase[2];
mtype:Phase journal[2];
byte journal_epoch[2];
byte epoch[2];              /* that the node knows; lost in a crash */
byte content_of[4];         /* newest version, as a reader at the node sees it; content(node, page) */
byte durable_of[4];         /* what of it a crash leaves */
byte present[2];            /* pages that are here */
byte map_durable[2];        /* presence that a crash leaves */
byte data_synced[2];        /* arrived pages whose data a sync has covered */
byte written_here[2];       /* pages written since this node owns */
byte written_durable[2];
byte handed_over[2];        /* H of a sender */
bit unequal[2];             /* an owner whose sums differed: journalled, and it ends no move by itself */
bit sums_differ;            /* ghost: and the operator has not said yet what is to become of it */
bit mismatch_used;
bit map_replaced[2];        /* ghost: the map is of a later list than the journal's ready */
bit knows_reverse;          /* D has heard that the move is reverse */
byte warm;                  /* S in init: sent, and not stale since */

/* -- The connection; all of it is new with each one */
bit connected;
chan to[2] = [kQueue] of { mtype, byte, byte };
byte sent;                  /* by the side that is dual: pages that it need not send any more */
bit hello_sent, offer_sent, complete_sent;
#if defined(WRONG_OLDOFFER) || defined(WRONG_OLDREVERSE)
bit late_init_offer, late_offer;
#endif
bit sent_twice;             /* bounds push_page_again */
bit complete_heard;         /* at the owner: equal sums */

/* -- The catalog */
byte catalog_owner, catalog_epoch;
mtype:Record record;
bit catalog_up;
mtype:Call swap_call;
bit stray_swap;             /* a swap request that is still on its way though its sender died or gave it up */
byte stray_from, stray_epoch;

/* -- Transactions */
mtype:Work writer;
byte writer_pages;
byte writer_saw[2];
mtype:Request request;
byte request_node, request_epoch, request_page, requests_used;
byte request_saw[2];
byte gateway_node, gateway_epoch;   /* the gateway's cached location */
byte acknowledged[2];               /* ghost, by page: what acknowledged transactions wrote or saw */
bit writer_acknowledged_both;
#ifdef READERS
mtype:Work reader;
byte snapshot[2];                   /* ghost: what the reader must see */
byte old_version[2];                /* what the files of S still hold for the reader */
#endif

/* -- The environment */
byte failures;
bit cancel_wanted, cancel_used;
#ifdef WRONG_MARKAFTER
byte mark_due;
#endif
#ifdef WRONG_DONEONCE
bit asks_for_done;
#endif
#ifdef WRONG_FORGETCANCEL
bit forgotten;
#endif

/* `hidden` keeps these out of the state; a breadth-first search (SHORTEST) does not allow it. */
#ifdef SHORTEST
#define outside_the_state byte
#else
#define outside_the_state hidden byte
#endif
outside_the_state set, value, slot;       /* scratch inside one action */
/* Always 0; they put a name into the text of an assertion that fails. */
outside_the_state I1_only_the_owner_starts, I1_the_sender_knows_its_swap, I1_an_owner_by_the_catalog;
outside_the_state I2_newest_version_is_read, I2_the_owner_has_a_copy, I2_everything_sent_arrived;
outside_the_state I3_reader_sees_one_snapshot, I4_acknowledged_is_durable, I4_transactions_are_whole;
outside_the_state I5_another_copy_is_complete, I5_the_sums_are_equal, I5_no_reader_is_open;
outside_the_state R_the_map_is_that_of_the_journal;
outside_the_state R_the_journal_is_settled;
outside_the_state R_a_request_finds_the_owner;
#define holds(name, condition) assert((condition) || name)

#define peer(n) (1 - (n))
#define content(n, page) content_of[(n) * 2 + (page)]
#define durable(n, page) durable_of[(n) * 2 + (page)]
#define bit_of(page) (1 << (page))
#define room(n) (len(to[n]) < kQueue)
#define next_is(n, message) (to[n]?[message, _, _])
#define is_up(n) (phase[n] != down)
#define serves(n) (phase[n] == owned || phase[n] == sending || phase[n] == owner)
#define request_runs_at(n) ((request == running || request == written) && request_node == n)
#define writer_is_open (writer == open || writer == committed)
#ifdef READERS
#define reader_is_open (reader == open || reader == half_read)
#else
#define reader_is_open false
#endif
#define is_synced(n, page) (content(n, page) == durable(n, page))
#define reads_newest(n, page) \
  holds(I2_newest_version_is_read, (content(n, page) & acknowledged[page]) == acknowledged[page])

#include "node.pml"
#include "hand_over.pml"
#include "finish.pml"
#include "reverse.pml"
#include "transactions.pml"

/* == The processes ======================================================================================= */

proctype node(byte n) {
end:
  do
  :: restart(n)
  :: take_list(n) :: send_ready(n) :: ask_for_owner(n)
  :: send_swap(n) :: hear_swap(n) :: repeat_swap(n)
  :: take_own(n) :: send_hello(n) :: take_hello(n)
  :: sync_before_push(n, 0) :: sync_before_push(n, 1) :: push_page(n, 0) :: push_page(n, 1)
#if REPEATS
  :: push_page_again(n)
#endif
#ifdef WRONG_MARKAFTER
  :: mark_after_sending(n)
#endif
  :: send_complete(n) :: take_complete(n)
#if MISMATCHES
  :: find_mismatch(n) :: verify_again(n)
#endif
  :: take_page(n) :: sync_data(n) :: sync_map(n)
  :: record_end(n) :: learn_end(n) :: delete_copy(n)
  :: begin_request(n, PAGE_0) :: begin_request(n, PAGE_1) :: forward_request(n) :: look_up_owner(n)
  :: commit_request(n) :: abort_request(n) :: answer_request(n)
  od
}

proctype source() {
end:
  do
  :: send_init_page() :: send_list(NO_PAGE) :: send_list(PAGE_0)
  :: cancel_locally() :: give_up() :: record_cancelled() :: take_offer()
#if WRITERS
  :: begin_writer(PAGE_0) :: begin_writer(BOTH_PAGES) :: commit_writer() :: answer_writer()
#endif
#ifdef READERS
  :: begin_reader() :: read_page(0) :: read_page(1)
#ifdef WRONG_RESETWAL
  :: checkpoint_under_reader()
#endif
#endif
#ifdef WRONG_FAILEDENTRY
  :: fail_to_note_swapping()
#endif
#ifdef WRONG_OLDREVERSE
  :: take_late_offer()
#endif
#ifdef WRONG_LOSTCANCEL
  :: cancel_after_lost_answer()
#endif
#ifdef WRONG_GIVEUP
  :: give_up_swap()
#endif
  od
}

proctype destination() {
end:
  do
  :: take_init_offer() :: take_init_page() :: drop_when_cancelled()
  :: record_reverse(true) :: record_reverse(false) :: learn_reverse() :: send_offer() :: send_reverse_list()
#ifdef WRONG_EARLYOWN
  :: own_early()
#endif
#ifdef WRONG_OLDOFFER
  :: take_late_init_offer()
#endif
#ifdef WRONG_DONEONCE
  :: lose_answer_of_done()
#endif
  od
}

#define may_swap(from, at_epoch) \
  (catalog_owner == (from) && catalog_epoch == (at_epoch) && record != done && record != cancelled)
#define swap_sender (phase[SOURCE] == swapping -> SOURCE : DESTINATION)
#define may_fail (failures < FAILURES)

proctype environment() {
end:
  do
  /* the gateway, with a location that may be old */
  :: d_step { request == none && requests_used < REQUESTS -> requests_used++; request = at_gateway }
  :: d_step { request == at_gateway && is_up(gateway_node) ->
       request = at_node; request_node = gateway_node; request_epoch = gateway_epoch;
       if :: requests_used == REQUESTS -> gateway_node = 0; gateway_epoch = 0 :: else fi }
  /* ... or beside D, where what D believes to own comes before the cache */
  :: d_step { request == at_gateway && serves(DESTINATION) ->
       request = at_node; request_node = DESTINATION; request_epoch = 0;
       if :: requests_used == REQUESTS -> gateway_node = 0; gateway_epoch = 0 :: else fi }
  :: d_step { request == at_gateway && !is_up(gateway_node) ->
       request = none; if :: requests_used == REQUESTS -> gateway_node = 0; gateway_epoch = 0 :: else fi }
  /* a lost connection comes back while either side still needs it */
  :: d_step { !connected && is_up(SOURCE) && is_up(DESTINATION) &&
              (phase[SOURCE] == dual || phase[DESTINATION] == dual ||
               (phase[DESTINATION] == owner && knows_reverse)) -> connected = 1 }
  /* a forward move begins anew when its connection broke before the swap */
  :: d_step { !connected && phase[SOURCE] == sending && is_up(DESTINATION) ->
       connected = 1; to[DESTINATION]!InitOffer(0, 0) }
  #if CANCELS
  :: d_step { !cancel_used && record == forward -> cancel_used = 1; cancel_wanted = 1 }
#endif
  /* the catalog carries the swap out, also one whose sender is gone */
  :: d_step { swap_call == in_flight && catalog_up ->
       slot = swap_sender;
       if :: may_swap(slot, epoch[slot]) -> catalog_owner = peer(slot); catalog_epoch++; swap_call = applied
          :: else -> swap_call = refused fi }
  :: d_step { stray_swap && catalog_up ->
       if :: may_swap(stray_from, stray_epoch) -> catalog_owner = peer(stray_from); catalog_epoch++
          :: else fi;
       stray_swap = 0; stray_from = 0; stray_epoch = 0 }
  :: d_step { stray_swap -> stray_swap = 0; stray_from = 0; stray_epoch = 0 }
  /* failures */
  :: d_step { may_fail && is_up(SOURCE) -> failures++; crash(SOURCE) }
  :: d_step { may_fail && is_up(DESTINATION) -> failures++; crash(DESTINATION) }
  :: d_step { may_fail && connected -> failures++; break_connection() }
  :: d_step { may_fail && catalog_up -> failures++; catalog_up = 0 }
  :: d_step { !catalog_up -> catalog_up = 1 }
  :: d_step { may_fail && swap_call == in_flight -> failures++;  /* delayed or lost; no answer */
       slot = swap_sender; stray_swap = 1; stray_from = slot; stray_epoch = epoch[slot];
       swap_call = answer_lost }
  :: d_step { may_fail && (swap_call == applied || swap_call == refused) ->
       failures++; swap_call = answer_lost }
  od
}

#define move_is_over ((record == done || record == cancelled) && catalog_up && !stray_swap && \
                      phase[catalog_owner] == owned && phase[1 - catalog_owner] == absent && \
                      request == none && requests_used == REQUESTS && !writer_is_open && !reader_is_open)

/* Waits for the end of the run; a run that ends before is stuck here, which Spin reports. */
proctype monitor() {
  atomic { move_is_over ->
    holds(R_the_journal_is_settled, journal[catalog_owner] == owned);
    holds(I4_acknowledged_is_durable, present[catalog_owner] == BOTH_PAGES &&
          (durable(catalog_owner, 0) & acknowledged[0]) == acknowledged[0] &&
          (durable(catalog_owner, 1) & acknowledged[1]) == acknowledged[1]);
    holds(I4_transactions_are_whole, writer_pages != BOTH_PAGES ||
          (durable(catalog_owner, 0) & kWriter) == (durable(catalog_owner, 1) & kWriter));
    holds(I4_transactions_are_whole, !writer_acknowledged_both || (durable(catalog_owner, 0) & kWriter)) }
}

init {
  d_step {
    phase[SOURCE] = sending; journal[SOURCE] = owned;
    phase[DESTINATION] = receiving; journal[DESTINATION] = receiving;
    present[SOURCE] = BOTH_PAGES; map_durable[SOURCE] = BOTH_PAGES;
    content(SOURCE, 0) = kInitial; content(SOURCE, 1) = kInitial;
    durable(SOURCE, 0) = kInitial; durable(SOURCE, 1) = kInitial;
    acknowledged[0] = kInitial; acknowledged[1] = kInitial;
    connected = 1; catalog_up = 1; sent = UNKNOWN_SET; record = forward; swap_call = no_call;
    writer = not_begun; request = none;
#ifdef READERS
    reader = not_begun;
#endif
  }
  atomic { run node(SOURCE); run node(DESTINATION); run source(); run destination(); run environment();
           run monitor() }
}
