/* What a node does whatever the step: syncs, deletions, and what a crash, a restart and a broken connection
   leave. Part of move.pml. */

inline forget_request() {
  request = none; request_node = 0; request_epoch = 0; request_page = 0;
  request_saw[0] = 0; request_saw[1] = 0
}

inline acknowledge_request() {
  acknowledged[0] = acknowledged[0] | request_saw[0];
  acknowledged[1] = acknowledged[1] | request_saw[1];
  forget_request()
}

inline acknowledge_writer() {
  acknowledged[0] = acknowledged[0] | writer_saw[0];
  acknowledged[1] = acknowledged[1] | writer_saw[1];
  writer_saw[0] = 0; writer_saw[1] = 0;
  writer_acknowledged_both = (writer_pages == BOTH_PAGES);
  writer = over
}

inline end_reader() {
#ifdef READERS
  reader = over; snapshot[0] = 0; snapshot[1] = 0; old_version[0] = 0; old_version[1] = 0
#else
  skip
#endif
}

/* One sync of the WAL covers every commit before it (group commit), and its frames count as presence. */
inline sync_wal(n) {
  if :: written_here[n] & PAGE_0 -> durable(n, 0) = content(n, 0) :: else fi;
  if :: written_here[n] & PAGE_1 -> durable(n, 1) = content(n, 1) :: else fi;
#ifndef WRONG_DIRTYVOL  /* "written here" is kept in memory only */
  written_durable[n] = written_here[n];
#endif
  map_durable[n] = map_durable[n] | written_here[n]
}

inline sync_and_acknowledge(n) {
  sync_wal(n);
  if :: n == SOURCE && writer == committed -> acknowledge_writer() :: else fi;
  if :: request == written && request_node == n -> acknowledge_request() :: else fi
}

inline sync_pages(n, pages) {
  if :: (pages) & PAGE_0 -> durable(n, 0) = content(n, 0) :: else fi;
  if :: (pages) & PAGE_1 -> durable(n, 1) = content(n, 1) :: else fi
}

/* Every deletion of a copy comes through here (I5). */
inline drop_copy(n) {
  holds(I5_another_copy_is_complete, catalog_owner == peer(n) && map_durable[peer(n)] == BOTH_PAGES &&
        (durable(peer(n), 0) & acknowledged[0]) == acknowledged[0] &&
        (durable(peer(n), 1) & acknowledged[1]) == acknowledged[1]);
  holds(I5_the_sums_are_equal, !sums_differ);
#ifdef READERS
  holds(I5_no_reader_is_open, n == DESTINATION || !reader_is_open);
#endif
  phase[n] = absent; journal[n] = absent; epoch[n] = 0; journal_epoch[n] = 0;
  content(n, 0) = 0; content(n, 1) = 0; durable(n, 0) = 0; durable(n, 1) = 0;
  present[n] = 0; map_durable[n] = 0; data_synced[n] = 0; written_here[n] = 0; written_durable[n] = 0;
  handed_over[n] = 0; map_replaced[n] = 0; unequal[n] = 0;
  if :: n == DESTINATION -> knows_reverse = 0 :: else fi
}

inline drop_unless_needed(n) {  /* wrong readings only: a deletion that nothing has justified */
  phase[n] = absent; journal[n] = absent; epoch[n] = 0; journal_epoch[n] = 0;
  content(n, 0) = 0; content(n, 1) = 0; durable(n, 0) = 0; durable(n, 1) = 0;
  present[n] = 0; map_durable[n] = 0; data_synced[n] = 0; written_here[n] = 0; written_durable[n] = 0;
  handed_over[n] = 0; map_replaced[n] = 0
}

/* What each side makes of a connection that is gone. */
inline break_connection() {
  connected = 0;
#ifdef WRONG_OLDOFFER
  if :: to[DESTINATION]?[InitOffer, _, _] -> late_init_offer = 1 :: else fi;
#endif
#ifdef WRONG_OLDREVERSE
  if :: to[SOURCE]?[Offer, _, _] -> late_offer = 1 :: else fi;
#endif
  do :: len(to[0]) > 0 -> to[0]?_, _, _ :: len(to[1]) > 0 -> to[1]?_, _, _ :: else -> break od;
  sent = UNKNOWN_SET; hello_sent = 0; offer_sent = 0; complete_sent = 0; complete_heard = 0; warm = 0;
#ifdef WRONG_MARKAFTER
  mark_due = 0;
#endif
#ifdef WRONG_UNHAND  /* the source takes back the marks of what it has not seen arrive */
  if :: phase[SOURCE] == dual -> handed_over[SOURCE] = map_durable[DESTINATION] :: else fi;
#endif
  /* A sender that has not sent the swap goes on as owner, at once and without asking the catalog. */
  if :: phase[SOURCE] == listed -> phase[SOURCE] = sending; handed_over[SOURCE] = 0 :: else fi;
  if :: phase[DESTINATION] == listed -> phase[DESTINATION] = owner; handed_over[DESTINATION] = 0 :: else fi;
  /* A forward receiver without ready drops its copy; the receiver of a reverse never does. Ready stays. */
  if :: phase[DESTINATION] == receiving || phase[DESTINATION] == preparing -> drop_copy(DESTINATION)
#ifdef WRONG_DROPREADY  /* a lost connection after ready means that nothing came of the move */
     :: phase[DESTINATION] == ready -> drop_unless_needed(DESTINATION)
#endif
     :: else fi;
  if :: phase[SOURCE] == preparing ->
#ifdef WRONG_FROZENDROP  /* the receiver of a reverse drops its copy as that of a forward move does */
        drop_unless_needed(SOURCE)
#else
        phase[SOURCE] = frozen
#endif
     :: else fi
}

inline crash(n) {
  if :: phase[n] == swapping ->
        if :: swap_call == in_flight -> stray_swap = 1; stray_from = n; stray_epoch = epoch[n] :: else fi;
        swap_call = no_call
     :: else fi;
  if :: n == SOURCE && writer_is_open -> writer = over; writer_saw[0] = 0; writer_saw[1] = 0 :: else fi;
#ifdef READERS
  if :: n == SOURCE && reader_is_open -> end_reader() :: else fi;
#endif
  if :: (request == at_node || request == running || request == written) && request_node == n ->
        forget_request()
     :: else fi;
  phase[n] = down; epoch[n] = 0; handed_over[n] = 0; data_synced[n] = 0;
  content(n, 0) = durable(n, 0); content(n, 1) = durable(n, 1);
  present[n] = map_durable[n]; written_here[n] = written_durable[n];
  if :: n == DESTINATION -> knows_reverse = 0 :: else fi;
  break_connection()
}

/* The phase of the journal; a copy that no ready was sent for goes. Asks nobody. */
inline restart(n) {
  d_step { phase[n] == down ->
    epoch[n] = journal_epoch[n];
    if :: journal[n] == receiving -> drop_copy(n)
       :: else ->
          holds(R_the_map_is_that_of_the_journal, journal[n] != ready || !map_replaced[n]);
#ifdef WRONG_DONEONCE
          asks_for_done = 1;
#endif
#ifdef WRONG_FORGETCANCEL
          if :: n == SOURCE && journal[n] == owned -> forgotten = 1 :: else fi;
#endif
#ifdef WRONG_SUMVOL  /* that the sums differed is kept in memory only */
          unequal[n] = 0;
#endif
          phase[n] = journal[n]
    fi }
}
