/* Steps 1 to 6: from the first page to the new owner. Part of move.pml. */

/* == Step 1: init ======================================================================================== */

#ifdef WRONG_UNSYNC  /* a page may leave before a sync covers its last commit */
#define may_leave(n, page) true
#else
#define may_leave(n, page) is_synced(n, page)
#endif

inline send_init_page() {
  d_step { phase[SOURCE] == sending && connected && room(DESTINATION) && !(warm & PAGE_0) &&
           may_leave(SOURCE, 0) ->
    warm = warm | PAGE_0; to[DESTINATION]!InitPage(0, content(SOURCE, 0)) }
}

inline take_init_page() {
  d_step { next_is(DESTINATION, InitPage) ->
    to[DESTINATION]?_, slot, value;
    if :: phase[DESTINATION] == receiving ->
          content(DESTINATION, slot) = value; present[DESTINATION] = present[DESTINATION] | bit_of(slot)
       :: else fi }
}

/* A sender that begins anew has not sent the swap: what was made for an earlier list is void. An offer counts
   only on the connection that is the latest one. */
inline take_init_offer() {
  d_step { next_is(DESTINATION, InitOffer) ->
    to[DESTINATION]?_, _, _;
    if :: phase[DESTINATION] == ready -> drop_copy(DESTINATION) :: else fi;
    if :: phase[DESTINATION] == absent -> phase[DESTINATION] = receiving; journal[DESTINATION] = receiving
       :: else fi }
}

#ifdef WRONG_OLDOFFER  /* whenever an offer is read, it begins the move anew; its own connection is gone */
inline take_late_init_offer() {
  d_step { late_init_offer && phase[DESTINATION] == ready ->
    late_init_offer = 0; break_connection(); drop_unless_needed(DESTINATION) }
}
#endif

/* Until the swap is sent a cancel is S's own affair. The record follows, also after a restart. */
inline cancel_locally() {
  d_step { cancel_wanted && (phase[SOURCE] == sending || phase[SOURCE] == listed) ->
    cancel_wanted = 0; break_connection(); phase[SOURCE] = owned }
}

inline give_up() {
  d_step { phase[SOURCE] == sending && !connected -> phase[SOURCE] = owned }
}

#ifdef WRONG_FORGETCANCEL  /* a source that was restarted serves, and leaves the record as it is */
#define will_record_cancelled (!forgotten)
#else
#define will_record_cancelled true
#endif

inline record_cancelled() {
  d_step { phase[SOURCE] == owned && catalog_up && record == forward && catalog_owner == SOURCE &&
           will_record_cancelled ->
    record = cancelled }
}

/* == Step 2: the list, and refusals from here on ========================================================= */

/* Everything that is committed at S is durable; nothing suspends between that and H. A wireframe page that
   went stale (page 0 when `fresh`) is marked first and sent again before the list. */
inline send_list(fresh) {
  d_step { phase[SOURCE] == sending && connected && len(to[DESTINATION]) <= kQueue - 2 &&
           may_leave(SOURCE, 0) && may_leave(SOURCE, 1) && (fresh == NO_PAGE || !(warm & PAGE_0)) ->
    phase[SOURCE] = listed;
    if :: fresh != NO_PAGE -> to[DESTINATION]!InitPage(0, content(SOURCE, 0)) :: else fi;
    set = warm | fresh;
#ifndef WRONG_WARMFREE  /* pages sent in init may be written on; only those sent in dual are handed over */
    handed_over[SOURCE] = set;
#endif
    to[DESTINATION]!List(set, 0); warm = 0 }
}

/* == Step 3: ready ======================================================================================= */

#ifdef WRONG_OLDLIST
#define ready_is_enough true
#else
#define ready_is_enough false
#endif

/* The receiver makes the contents and a map of exactly this list durable. Its journal says receiving, or
   frozen (take_offer), so that a crash in between does not find a ready whose map is another. */
inline take_list(n) {
  d_step { next_is(n, List) && room(peer(n)) &&
           (phase[n] == receiving || phase[n] == frozen || (phase[n] == ready && ready_is_enough)) ->
    to[n]?_, set, _;
#ifdef WRONG_NOREVCLEAR  /* the old source takes its whole old copy as present */
    if :: n == SOURCE -> set = BOTH_PAGES :: else fi;
#endif
#ifdef WRONG_OLDLIST  /* ready is ready: an earlier list answers for the new one */
    if :: phase[n] == ready -> to[peer(n)]!Ready(0, 0) :: else
#else
    if :: true
#endif
       ->
          map_replaced[n] = (journal[n] == ready);
          phase[n] = preparing;
          present[n] = set; written_here[n] = 0; handed_over[n] = 0; data_synced[n] = 0;
#ifndef WRONG_READYVOL  /* ready is sent when contents and map are in memory */
          sync_pages(n, set); map_durable[n] = set; written_durable[n] = 0;
#endif
    fi }
}

inline send_ready(n) {
  d_step { phase[n] == preparing && room(peer(n)) ->
    phase[n] = ready; journal[n] = ready; journal_epoch[n] = epoch[n]; map_replaced[n] = 0;
    to[peer(n)]!Ready(0, 0) }
}

/* == Step 4: what ends ready ============================================================================= */

inline become_owner(n, new_epoch) {
#ifndef WRONG_EARLYOWN
  holds(I1_an_owner_by_the_catalog, catalog_owner == n);
#endif
  epoch[n] = new_epoch; journal_epoch[n] = new_epoch; phase[n] = owner; journal[n] = owner;
  hello_sent = 0; complete_heard = 0
}

inline ask_for_owner(n) {
  d_step { phase[n] == ready && catalog_up && catalog_owner == n && catalog_epoch > epoch[n] ->
    become_owner(n, catalog_epoch) }
}

inline drop_when_cancelled() {
  d_step { phase[DESTINATION] == ready && catalog_up && record == cancelled -> drop_copy(DESTINATION) }
}

#ifdef WRONG_EARLYOWN  /* the destination serves from ready on */
inline own_early() {
  d_step { phase[DESTINATION] == ready && connected -> become_owner(DESTINATION, epoch[DESTINATION] + 1) }
}
#endif

/* == Step 5: the swap ==================================================================================== */

inline send_swap(n) {
  d_step { next_is(n, Ready) ->
    to[n]?_, _, _;
    if :: phase[n] == listed ->
#ifndef WRONG_NOJOURNAL  /* the swap is sent without an entry in the journal */
          journal[n] = swapping; journal_epoch[n] = epoch[n];
#endif
          phase[n] = swapping; swap_call = in_flight
       :: else fi }
}

#ifdef WRONG_FAILEDENTRY  /* the write of `swapping` fails, though it is on the disk: S serves on */
inline fail_to_note_swapping() {
  d_step { next_is(SOURCE, Ready) && phase[SOURCE] == listed && failures < FAILURES ->
    failures++; journal[SOURCE] = swapping; journal_epoch[SOURCE] = epoch[SOURCE]; break_connection();
    phase[SOURCE] = owned }
}
#endif

inline note_moved(n) {
  swap_call = no_call; epoch[n] = epoch[n] + 1;
  phase[n] = dual; journal[n] = dual; journal_epoch[n] = epoch[n];
  sent = UNKNOWN_SET; complete_sent = 0;
  if :: connected && room(peer(n)) -> to[peer(n)]!Own(epoch[n], 0) :: else fi
}

/* Only the sender sends this swap: a refusal means that an earlier try was applied. */
inline hear_swap(n) {
  d_step { phase[n] == swapping && (swap_call == applied || swap_call == refused) ->
#ifdef WRONG_CASFAIL  /* a refused swap has not happened */
    if :: swap_call == refused && n == SOURCE ->
          swap_call = no_call; phase[n] = owned; journal[n] = owned; handed_over[n] = 0
       :: else -> note_moved(n)
    fi
#else
    holds(I1_the_sender_knows_its_swap, catalog_owner == peer(n) && catalog_epoch == epoch[n] + 1);
    note_moved(n)
#endif
  }
}

/* After a lost answer or a restart: the same swap again, until its outcome is known. Never a fence. */
inline repeat_swap(n) {
  d_step { phase[n] == swapping && (swap_call == answer_lost || swap_call == no_call) ->
    swap_call = in_flight }
}

#ifdef WRONG_LOSTCANCEL  /* a cancel after a lost answer is still the source's own affair */
inline cancel_after_lost_answer() {
  d_step { phase[SOURCE] == swapping && swap_call == answer_lost && cancel_wanted ->
    swap_call = no_call; cancel_wanted = 0; phase[SOURCE] = owned; journal[SOURCE] = owned;
    handed_over[SOURCE] = 0 }
}
#endif
#ifdef WRONG_GIVEUP  /* the catalog still says that S owns, so the swap failed: S goes on as owner */
inline give_up_swap() {
  d_step { phase[SOURCE] == swapping && (swap_call == answer_lost || swap_call == no_call) &&
           catalog_up && catalog_owner == SOURCE ->
    swap_call = no_call; phase[SOURCE] = owned; journal[SOURCE] = owned; handed_over[SOURCE] = 0 }
}
#endif

/* == Step 6: the receiver is told ======================================================================== */

inline take_own(n) {
  d_step { next_is(n, Own) ->
    to[n]?_, value, _;
    if :: phase[n] == ready && value > epoch[n] -> become_owner(n, value) :: else fi }
}
