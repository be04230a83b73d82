/* Step 10: a cancel after the swap takes the tenant back. Part of move.pml. */

/* == Step 10: cancel after the swap ====================================================================== */

/* Excludes done: both are a compare-and-swap from forward. The answer may be lost: D then asks again. */
inline record_reverse(answer) {
  d_step { cancel_wanted && phase[DESTINATION] == owner && catalog_up && record == forward &&
           catalog_owner == DESTINATION && (answer || failures < FAILURES) ->
    if :: answer -> knows_reverse = 1 :: else -> failures++ fi;
    cancel_wanted = 0; record = reverse; sums_differ = 0 }
}

#ifdef WRONG_REVERSEONCE  /* only the answer tells the destination that the move is reversed */
#define may_learn_reverse false
#else
#define may_learn_reverse true
#endif

inline learn_reverse() {
  d_step { phase[DESTINATION] == owner && catalog_up && record == reverse && !knows_reverse &&
           may_learn_reverse -> knows_reverse = 1 }
}

inline send_offer() {
  d_step { phase[DESTINATION] == owner && knows_reverse && connected && !offer_sent && room(SOURCE) ->
    offer_sent = 1; to[SOURCE]!Offer(0, 0) }
}

/* S ends its old transactions before D makes its list: open ones are rolled back, readers end too. Then its
   journal says frozen, which takes back the ready of an earlier list. */
inline take_offer() {
  d_step { next_is(SOURCE, Offer) && phase[SOURCE] != swapping && room(DESTINATION) ->
    to[SOURCE]?_, _, _;
    if :: phase[SOURCE] == dual || phase[SOURCE] == frozen || phase[SOURCE] == ready ->
#ifndef WRONG_OLDTX  /* transactions of the source outlive the reverse list */
          sync_and_acknowledge(SOURCE);
          if :: writer == open -> writer = over :: else fi;
          if :: request == running && request_node == SOURCE -> forget_request() :: else fi;
#endif
#if defined(READERS) && !defined(WRONG_READERSTAYS)  /* readers disturb nobody: they stay */
          if :: reader_is_open -> end_reader() :: else fi;
#endif
#ifdef WRONG_NOFROZEN  /* the journal keeps the ready of the earlier list while the new map is made */
          if :: journal[SOURCE] != ready -> journal[SOURCE] = frozen :: else fi;
#else
          journal[SOURCE] = frozen; journal_epoch[SOURCE] = epoch[SOURCE];
#endif
#ifdef WRONG_OLDLIST
          if :: phase[SOURCE] != ready -> phase[SOURCE] = frozen :: else fi;
#else
          phase[SOURCE] = frozen;
#endif
          to[DESTINATION]!Closed(0, 0)
       :: else fi }
}

#ifdef WRONG_OLDREVERSE  /* whenever an offer is read, it takes back ready; its own connection is gone */
inline take_late_offer() {
  d_step { late_offer && phase[SOURCE] == ready ->
    late_offer = 0; break_connection(); phase[SOURCE] = frozen; journal[SOURCE] = frozen }
}
#endif

#ifdef WRONG_REVUNSYNC  /* the reverse list is made from what is not durable */
#define list_is_durable true
#elif defined(WRONG_DIRTYVOL)
#define list_is_durable ((!(written_here[DESTINATION] & PAGE_0) || is_synced(DESTINATION, 0)) && \
                         (!(written_here[DESTINATION] & PAGE_1) || is_synced(DESTINATION, 1)))
#else
#define list_is_durable (written_here[DESTINATION] == written_durable[DESTINATION] && \
                         (!(written_here[DESTINATION] & PAGE_0) || is_synced(DESTINATION, 0)) && \
                         (!(written_here[DESTINATION] & PAGE_1) || is_synced(DESTINATION, 1)))
#endif

/* D parks, syncs its WAL, and hands over what it has not written: S has those pages, newest. */
inline send_reverse_list() {
  d_step { next_is(DESTINATION, Closed) && phase[DESTINATION] == owner && list_is_durable && room(SOURCE) ->
    to[DESTINATION]?_, _, _;
    phase[DESTINATION] = listed; sent = UNKNOWN_SET;
    handed_over[DESTINATION] = BOTH_PAGES & ~written_here[DESTINATION];
    to[SOURCE]!List(handed_over[DESTINATION], 0) }
}
