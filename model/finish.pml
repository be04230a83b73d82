/* Steps 7 to 9: pulls, pushes, arrivals, the end of the move and the deletion. Part of move.pml. */

/* == Step 7: dual and finish ============================================================================= */

inline send_hello(n) {
  d_step { phase[n] == owner && connected && !hello_sent && room(peer(n)) &&
           !(n == DESTINATION && knows_reverse) ->
    hello_sent = 1; to[peer(n)]!Hello(present[n], 0) }
}

inline take_hello(n) {
  d_step { next_is(n, Hello) && phase[n] != swapping ->
    to[n]?_, set, _;
    if :: phase[n] == dual ->
          handed_over[n] = handed_over[n] | set; sent = set
#ifdef WRONG_TRUSTSENT  /* what was sent has arrived */
          ; sent = handed_over[n]
#endif
       :: else fi }
}

inline sync_before_push(n, page) {
  d_step { phase[n] == dual && sent < UNKNOWN_SET && !(sent & bit_of(page)) && !may_leave(n, page) ->
    sync_and_acknowledge(n) }
}

#ifdef WRONG_MARKAFTER  /* the mark follows the sending */
#define no_mark_is_due (mark_due == 0)
#else
#define no_mark_is_due true
#endif

/* Mark, read, queue without a suspension in between. A pull's answer and a push are the same here. */
inline push_page(n, page) {
  d_step { phase[n] == dual && sent < UNKNOWN_SET && !(sent & bit_of(page)) && may_leave(n, page) &&
           room(peer(n)) && no_mark_is_due ->
#ifdef WRONG_MARKAFTER
    mark_due = bit_of(page);
#else
    handed_over[n] = handed_over[n] | bit_of(page);
#endif
    sent = sent | bit_of(page);
    to[peer(n)]!Page(page, content(n, page)) }
}

/* The answer to a pull can cross a push of the same page: it comes twice. */
inline push_page_again(n) {
  d_step { phase[n] == dual && sent < UNKNOWN_SET && (sent & PAGE_0) && !sent_twice && room(peer(n)) ->
    sent_twice = 1; to[peer(n)]!Page(0, content(n, 0)) }
}

#ifdef WRONG_MARKAFTER
inline mark_after_sending(n) {
  d_step { phase[n] == dual && mark_due != 0 -> handed_over[n] = handed_over[n] | mark_due; mark_due = 0 }
}
#endif

inline send_complete(n) {
  d_step { phase[n] == dual && sent == BOTH_PAGES && !complete_sent && room(peer(n)) ->
    complete_sent = 1; to[peer(n)]!Complete(0, 0) }
}

/* == Step 8: arrivals and presence ======================================================================= */

#ifdef WRONG_LATEPUSH  /* a page that comes late is written all the same */
#define is_wanted(n, page) true
#else
#define is_wanted(n, page) (!(present[n] & bit_of(page)))
#endif

/* Forward pages that arrive after D's list find it in another phase, and are dropped. */
inline take_page(n) {
  d_step { next_is(n, Page) && phase[n] != ready ->
    to[n]?_, slot, value;
    if :: phase[n] == owner && is_wanted(n, slot) ->
          content(n, slot) = value; present[n] = present[n] | bit_of(slot);
          data_synced[n] = data_synced[n] & ~bit_of(slot)
#ifdef READERS
          ; if :: n == SOURCE && reader_is_open -> old_version[slot] = value :: else fi
#endif
       :: else fi }
}

#define arrived(n) (present[n] & ~written_here[n])
inline sync_data(n) {
  d_step { phase[n] == owner && (arrived(n) & ~data_synced[n]) ->
    set = arrived(n); sync_pages(n, set); data_synced[n] = set }
}

inline sync_map(n) {
#ifdef WRONG_MAPFIRST  /* the map may be durable before the data */
  d_step { phase[n] == owner && map_durable[n] != present[n] -> map_durable[n] = present[n] }
#else
  d_step { phase[n] == owner && (data_synced[n] & ~map_durable[n]) ->
    map_durable[n] = map_durable[n] | data_synced[n] }
#endif
}

/* == Step 9: the end ===================================================================================== */

#ifdef WRONG_DONEVOL  /* the map in memory is full */
#define is_complete(n) (present[n] == BOTH_PAGES)
#else
#define is_complete(n) (map_durable[n] == BOTH_PAGES)
#endif
#ifdef WRONG_DONERACE  /* done is recorded whatever the move's state is */
#define may_record_end(n) (record == forward || record == reverse)
#else
#define may_record_end(n) (record == (n == DESTINATION -> forward : reverse))
#endif

#define end_of(n) (n == DESTINATION -> done : cancelled)

#ifdef WRONG_RETRYSUM  /* a new connection brings new sums, and these are believed */
#define may_compare(n) true
#else
#define may_compare(n) (!unequal[n])
#endif

inline take_complete(n) {
  d_step { next_is(n, Complete) ->
    to[n]?_, _, _;
    if :: phase[n] == owner && may_compare(n) ->
          holds(I2_everything_sent_arrived, present[n] == BOTH_PAGES);
          complete_heard = 1
       :: else fi }
}

/* The sums differ. All is here and durable, so the owner goes on serving; the move stops: the journal says so
   before the sender hears it, and a later connection changes nothing. Sums that have agreed agree again. */
inline find_mismatch(n) {
  d_step { next_is(n, Complete) && phase[n] == owner && !unequal[n] && !mismatch_used && is_complete(n) &&
           !complete_heard && record != end_of(n) ->
    mismatch_used = 1; unequal[n] = 1; break_connection();
    /* Once it is cancelled the operator has said what is to become of it. */
    sums_differ = !(n == DESTINATION && record == reverse) }
}

/* The operator's word. Both sides make their sums anew, and the sender says again that it has sent all. */
inline verify_again(n) {
  d_step { unequal[n] && phase[n] == owner && connected && phase[peer(n)] == dual &&
           !(n == DESTINATION && knows_reverse) ->
    unequal[n] = 0; sums_differ = 0; complete_sent = 0 }
}

/* Compare-and-swap on the record; whether its answer arrives is seen in learn_end. */
inline record_end(n) {
  d_step { phase[n] == owner && complete_heard && is_complete(n) && catalog_up && catalog_owner == n &&
           may_record_end(n) ->
#ifdef WRONG_DONEONCE
    asks_for_done = 1;
#endif
    record = end_of(n) }
}

#ifdef WRONG_DONEONCE  /* only the answer, a restart or the next Complete tells that the move is done */
#define may_learn_end asks_for_done
#else
#define may_learn_end true
#endif

/* By the answer, or by asking again after it was lost or after a restart: the state is as it wanted it. */
inline learn_end(n) {
  d_step { phase[n] == owner && catalog_up && record == end_of(n) && may_learn_end ->
    phase[n] = owned; journal[n] = owned; handed_over[n] = 0 }
}

#ifdef WRONG_DONEONCE
inline lose_answer_of_done() {
  d_step { record == done && asks_for_done && phase[DESTINATION] == owner && failures < FAILURES ->
    failures++; asks_for_done = 0; break_connection() }
}
#endif

#ifdef WRONG_READERDELETE  /* only open writers keep the copy */
#define no_reader_keeps_it(n) true
#else
#define no_reader_keeps_it(n) (n == DESTINATION || !reader_is_open)
#endif
#define no_transaction_keeps_it(n) \
  (!(n == SOURCE && writer_is_open) && !request_runs_at(n) && no_reader_keeps_it(n))

inline delete_copy(n) {
#ifdef WRONG_DELEARLY  /* all pages are at the other side, so the copy may go */
  d_step { phase[n] == dual && map_durable[peer(n)] == BOTH_PAGES && no_transaction_keeps_it(n) ->
    drop_unless_needed(n) }
#else
  d_step { phase[n] == dual && catalog_up && record == end_of(peer(n)) && no_transaction_keeps_it(n) ->
    drop_copy(n) }
#endif
}
