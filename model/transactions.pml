/* Step 11 and the transactions that were opened at S. Part of move.pml. */

/* == Step 11: requests =================================================================================== */

inline begin_request(n, page) {
  d_step { request == at_node && request_node == n && serves(n) && !(n == SOURCE && writer == open) ->
    holds(I1_only_the_owner_starts, catalog_owner == n);
    request = running; request_epoch = epoch[n]; request_page = page }
}

inline forward_request(n) {
  d_step { request == at_node && request_node == n && phase[n] == dual ->
    request_node = peer(n); request_epoch = epoch[n] }
}

/* A node that does not own and knows of no newer epoch reads the catalog; it sends nothing back blindly. */
inline look_up_owner(n) {
#ifdef WRONG_LOOP  /* not mine: back to the other node */
  d_step { request == at_node && request_node == n &&
           (phase[n] == ready || phase[n] == absent || phase[n] == receiving || phase[n] == frozen ||
            phase[n] == preparing) ->
    request_node = peer(n) }
#else
  d_step { request == at_node && request_node == n && catalog_up &&
           (phase[n] == ready || phase[n] == absent || phase[n] == receiving || phase[n] == frozen ||
            phase[n] == preparing) ->
    if :: catalog_owner == n ->
          holds(I2_the_owner_has_a_copy, phase[n] == ready && catalog_epoch > epoch[n]);
          become_owner(n, catalog_epoch)
       :: else ->
          holds(R_a_request_finds_the_owner, catalog_epoch >= request_epoch);
          request_node = catalog_owner; request_epoch = catalog_epoch
    fi }
#endif
}

#define needed_by_request (request_page == PAGE_0 -> PAGE_0 : BOTH_PAGES)
#define has_pages_for_request(n) ((present[n] & needed_by_request) == needed_by_request)

inline commit_request(n) {
  d_step { request == running && request_node == n && is_up(n) && has_pages_for_request(n) ->
    if :: handed_over[n] & request_page -> forget_request()  /* refused: the page was handed over */
       :: else ->
          if :: handed_over[n] & PAGE_0 -> skip :: else -> reads_newest(n, 0) fi;
          if :: request_page == PAGE_1 -> reads_newest(n, 1) :: else fi;
          content(n, (request_page - 1)) = content(n, (request_page - 1)) | (1 << requests_used);
          written_here[n] = written_here[n] | request_page; present[n] = present[n] | request_page;
          if :: n == SOURCE -> warm = warm & ~request_page :: else fi;
          request_saw[0] = content(n, 0); request_saw[1] = (request_page == PAGE_1 -> content(n, 1) : 0);
          request = written
    fi }
}

/* A page that it can no longer get: a retryable error. */
inline abort_request(n) {
#ifndef WRONG_NOABORT  /* such a transaction waits */
  d_step { request == running && request_node == n && !has_pages_for_request(n) &&
           (phase[n] == listed || phase[n] == swapping || phase[n] == dual) -> forget_request() }
#else
  false
#endif
}

inline answer_request(n) {
  d_step { request == written && request_node == n && is_up(n) ->
    if :: requests_used < REQUESTS -> gateway_node = n; gateway_epoch = epoch[n]
       :: else -> gateway_node = 0; gateway_epoch = 0 fi;
    sync_wal(n); acknowledge_request() }
}

/* == Transactions that were opened at S ================================================================== */

inline begin_writer(pages) {
  d_step { writer == not_begun && serves(SOURCE) && present[SOURCE] == BOTH_PAGES &&
           !request_runs_at(SOURCE) && record == forward ->
    holds(I1_only_the_owner_starts, catalog_owner == SOURCE);
    writer = open; writer_pages = pages }
}

#ifdef WRONG_LATEREFUSE  /* refusals begin with the swap, not with the list */
#define is_refused(pages) (phase[SOURCE] == dual && (handed_over[SOURCE] & (pages)))
#else
#define is_refused(pages) (handed_over[SOURCE] & (pages))
#endif

inline commit_writer() {
  d_step { writer == open && is_up(SOURCE) ->
    if :: is_refused(writer_pages) -> writer = over
       :: else ->
#ifndef WRONG_OLDTX  /* so that it fails where it hurts a client */
          reads_newest(SOURCE, 0);
#endif
          content(SOURCE, 0) = content(SOURCE, 0) | kWriter; writer_saw[0] = content(SOURCE, 0);
          if :: writer_pages == BOTH_PAGES ->
                content(SOURCE, 1) = content(SOURCE, 1) | kWriter; writer_saw[1] = content(SOURCE, 1)
             :: else fi;
          written_here[SOURCE] = written_here[SOURCE] | writer_pages; warm = warm & ~writer_pages;
          writer = committed
    fi }
}

inline answer_writer() {
  d_step { writer == committed && is_up(SOURCE) -> sync_wal(SOURCE); acknowledge_writer() }
}

#ifdef READERS
/* It begins before the list, keeps its snapshot and never aborts, whatever is handed over. */
inline begin_reader() {
  d_step { reader == not_begun && serves(SOURCE) && present[SOURCE] == BOTH_PAGES && record == forward ->
    holds(I1_only_the_owner_starts, catalog_owner == SOURCE);
    reader = open; snapshot[0] = content(SOURCE, 0); snapshot[1] = content(SOURCE, 1);
    old_version[0] = snapshot[0]; old_version[1] = snapshot[1] }
}

inline read_page(page) {
  d_step { reader == (page == 0 -> open : half_read) && is_up(SOURCE) ->
    holds(I3_reader_sees_one_snapshot, old_version[page] == snapshot[page]);
    if :: page == 0 -> reader = half_read :: else -> end_reader() fi }
}

#ifdef WRONG_RESETWAL  /* the source checkpoints during dual, and starts its WAL anew, under an open reader */
inline checkpoint_under_reader() {
  d_step { phase[SOURCE] == dual && reader_is_open ->
    old_version[0] = content(SOURCE, 0); old_version[1] = content(SOURCE, 1) }
}
#endif
#endif
