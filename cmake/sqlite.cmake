# SQLite::SQLite3: by default the amalgamation that scripts/fetch-sqlite.sh leaves, compiled with what fits here;
# with TRADEWIND_SQLITE=system the one that Debian ships.
set(TRADEWIND_SQLITE bundled CACHE STRING "bundled (a pinned version, fetched by scripts/) or system (libsqlite3-dev)")
set_property(CACHE TRADEWIND_SQLITE PROPERTY STRINGS bundled system)

if(TRADEWIND_SQLITE STREQUAL system)
  find_package(SQLite3 REQUIRED)
  return()
endif()

set(folder ${PROJECT_SOURCE_DIR}/build-sqlite)
if(NOT EXISTS ${folder}/sqlite3.c)
  execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/fetch-sqlite.sh COMMAND_ERROR_IS_FATAL ANY)
endif()

# A copy in which what can go on for long within one call counts its work (src/sqlite/builtin_functions.c), by a call
# put behind what stands so many times in the file: TW_WORK for some 20 to 500 ns, TW_STEP for a byte or so. No line moves.
file(READ ${folder}/sqlite3.c amalgamation)
set(counted ${PROJECT_BINARY_DIR}/sqlite/sqlite3_counted.c)
function(insert_behind place call)
  set(times 1 ${ARGN})
  list(POP_BACK times expected)
  string(REPLACE "${place}" "${place} ${call}" changed "${amalgamation}")
  string(LENGTH "${amalgamation}" before)
  string(LENGTH "${changed}" after)
  string(LENGTH " ${call}" more)
  math(EXPR found "(${after} - ${before}) / ${more}")
  if(NOT found EQUAL expected)
    message(FATAL_ERROR "SQLite has changed: where something was put behind it there is ${found} times this:\n${place}")
  endif()
  set(amalgamation "${changed}" PARENT_SCOPE)
endfunction()

# What is compiled: tokens, walks over what they became, and the instructions that come of it.
insert_behind("    n = sqlite3GetToken((u8*)zSql, &tokenType);\n    mxSqlLen -= n;" "TW_WORK(1);")
insert_behind("    rc = pWalker->xExprCallback(pWalker, pExpr);" "TW_WORK(1);")
# Thousands of aggregates, terms or columns are each compared with all others, node by node.
insert_behind("  const Expr *pB,\n  int iTab\n){\n  u32 combinedFlags;" "TW_STEP;")
insert_behind("static void heightOfExpr(const Expr *p, int *pnHeight){" "TW_STEP;")
insert_behind("     m |= pExpr->flags;" "TW_STEP;")
insert_behind("      mask |= sqlite3WhereExprUsage(pMaskSet, pList->a[i].pExpr);" "TW_STEP;")
insert_behind("expr_code_doover:" "TW_WORK(1);")
insert_behind("SQLITE_PRIVATE int sqlite3VdbeAddOp3(Vdbe *p, int op, int p1, int p2, int p3){" "TW_WORK(1);")
insert_behind("    assert( pOp>p->aOp );\n    pOp--;" "TW_WORK(1);")
insert_behind("      for(i=1; (c=z[i])!=0; i++){" "TW_STEP;" 2)
insert_behind("      for(i=3, c=z[2]; (c!='*' || z[i]!='/') && (c=z[i])!=0; i++){" "TW_STEP;")
insert_behind("        for(i=2; (c=z[i])!=0 && c!='\\n'; i++){" "TW_STEP;")
insert_behind("      for(i=1; sqlite3Isspace(z[i]); i++){" "TW_STEP;")
# Numbers and names: those of a text of megabytes may be as long as it.
insert_behind("        for(i=3; 1; i++){" "TW_STEP;")
insert_behind("        for(i=0; 1; i++){" "TW_STEP;")
insert_behind("          for(i++; 1; i++){\n            if( sqlite3Isdigit(z[i])==0 ){" "TW_STEP;")
insert_behind("          for(i+=2; 1; i++){" "TW_STEP;")
insert_behind("      while( IdChar(z[i]) ){" "TW_STEP;")
insert_behind("  while( IdChar(z[i]) ){" "TW_STEP;" 2)
insert_behind("        if( IdChar(c) ){" "TW_STEP;")
insert_behind("      for(i=1, c=z[0]; c!=']' && (c=z[i])!=0; i++){" "TW_STEP;")
insert_behind("      for(i=1; sqlite3Isdigit(z[i]); i++){" "TW_STEP;")
insert_behind("          do{\n            i++;" "TW_STEP;")
insert_behind("      for(i=2; aiClass[z[i]]<=CC_KYWD; i++){" "TW_STEP;")
insert_behind("        for(i=2; sqlite3Isxdigit(z[i]); i++){" "TW_STEP;")
insert_behind("          while( z[i] && z[i]!='\\'' ){" "TW_STEP;")
insert_behind("  for(i=1, j=0;; i++){\n    assert( z[i] );" "TW_STEP;")
insert_behind("      zBlob[i/2] = (sqlite3HexToInt(z[i])<<4) | sqlite3HexToInt(z[i+1]);" "TW_STEP;")
insert_behind("      if( pOp->p4type <= P4_FREE_IF_LE ) freeP4(db, pOp->p4type, pOp->p4.p);" "TW_STEP;")
# What runs for long without a jump, where SQLite would ask whether to go on: lists of millions of values.
insert_behind("case OP_MakeRecord: {" "TW_WORK(1);")
insert_behind("case OP_Function: {            /* group */" "TW_WORK(1);")
insert_behind("case OP_Yield: {            /* in1, jump0 */" "TW_WORK(1);")
# The registers of what was compiled.
insert_behind("      p->flags = flags;\n      p->db = db;" "TW_STEP;")
insert_behind("    do{\n      assert( (&p[1])==pEnd || p[0].db==p[1].db );" "TW_STEP;")
# A sort: its rows in memory, and the files that it merges.
insert_behind("        pTask, &bCached, SRVAL(p1), p1->nVal, SRVAL(p2), p2->nVal\n    );"
  "TW_WORK(1 + (p1->nVal < p2->nVal ? p1->nVal : p2->nVal) / 512);")
insert_behind("            pReadr1->aKey, pReadr1->nKey, pReadr2->aKey, pReadr2->nKey\n        );" "TW_WORK(1);")
insert_behind("        pTask, &bCached, p1->aKey, p1->nKey, p2->aKey, p2->nKey\n    );" "TW_WORK(1);")
# The rows that a statement has picked: to be deleted, or found by one OR or another.
insert_behind("    assert( pB->pRight==0 || pB->v<=pB->pRight->v );" "TW_WORK(1);")
insert_behind("  assert( pIn!=0 );\n  if( pIn->pLeft ){" "TW_WORK(1);")
insert_behind("  if( iDepth>1 ){   /*OPTIMIZATION-IF-TRUE*/" "TW_WORK(1);")
# Names of parameters, each of which is looked for among all.
insert_behind("    if( pIn[i]==iVal ) return (char*)&pIn[i+2];" "TW_STEP;")
insert_behind("    const char *z = (const char*)&pIn[i+2];" "TW_STEP;")
# A large text as a number, in another case, in another encoding.
insert_behind("      s = s*10 + v;\n      z++;" "TW_STEP;")
insert_behind("        while( sqlite3Isdigit(z[0]) ){ z++; d++;" "TW_STEP;")
insert_behind("  }else if( sqlite3Isspace(z[0]) ){\n    do{ z++;" "TW_STEP;")
insert_behind("  if( sqlite3Isspace(z[0]) ){\n    do{ z++;" "TW_STEP;")
insert_behind("          mState = 11;\n        }" "TW_STEP;")
insert_behind("        exp = exp<10000 ? (exp*10 + v) : 10000;" "TW_STEP;")
insert_behind("  while( zNum<zEnd && sqlite3Isspace(*zNum) ) zNum+=incr" ", TW_STEP")
insert_behind("  while( zNum<zEnd && zNum[0]=='0' ){ zNum+=incr;" "TW_STEP;")
insert_behind("    u = u*10 + c;" "TW_STEP;")
insert_behind("  while( N-- > 0 && *a!=0 && UpperToLower[*a]==UpperToLower[*b]){ a++; b++;" "TW_STEP;")
insert_behind("      *zIn++ = temp;" "TW_STEP;")
insert_behind("        READ_UTF8(zIn, zTerm, c);" "TW_STEP;" 2)
insert_behind("      while( zIn<zTerm ){\n        c = *(zIn++);" "TW_STEP;")
insert_behind("      while( zIn<zTerm ){\n        c = (*(zIn++))<<8;" "TW_STEP;")
# JSON that is taken apart where no function of its own is called: json_each(), and what it returns.
insert_behind("json_parse_restart:" "TW_WORK(1);")
insert_behind("static u32 jsonbPayloadSize(const JsonParse *pParse, u32 i, u32 *pSz){" "TW_STEP;")
insert_behind("    cDelim = z[i];\n    j = i+1;\n    while( 1 /*exit-by-break*/ ){" "TW_STEP;")
insert_behind("  parse_number_2:\n    for(j=i+1;; j++){" "TW_STEP;")
insert_behind("  while( 1 /*exit by \"goto whitespace_done\"*/ ){" "TW_STEP;")
# Full text: its tokenizers, what is found in a text, and what shows that.
insert_behind("    rc = xToken(pCtx, 0, aBuf, zOut-aBuf, aStart[0], iNext);" "TW_WORK(4);")
insert_behind("        if( iBest<0 ) break;\n\n        nInst++;" "TW_WORK(1);")
# A snippet of a text with millions of what is looked for asks for each of them again and again, and for no memory.
insert_behind("  if( CsrFlagTest(pCsr, FTS5CSR_REQUIRE_INST)==0\n   || SQLITE_OK==(rc = fts5CacheInstArray(pCsr))\n  ){"
              "TW_WORK(1); if( sqlite3_is_interrupted(((Fts5Table*)pCsr->base.pVtab)->pConfig->db) ) return SQLITE_INTERRUPT;" 2)
insert_behind("    /* Skip any separator characters. */\n    while( 1 ){" "TW_STEP;")
insert_behind("      /* Grow the output buffer so that there is sufficient space to fit the\n      ** largest possible utf-8 character.  */" "TW_STEP;")
insert_behind("    while( is<nText && ((pText[is]&0x80)==0 && a[(int)pText[is]]==0) ){" "TW_STEP;")
insert_behind("    while( ie<nText && ((pText[ie]&0x80) || a[(int)pText[ie]] ) ){" "TW_STEP;")
insert_behind("      iNext = zIn - (const unsigned char*)pText;" "TW_STEP;")
insert_behind("    while( c->iOffset<c->nBytes && simpleDelim(t, p[c->iOffset]) ){" "TW_STEP;")
insert_behind("    while( c->iOffset<c->nBytes && !simpleDelim(t, p[c->iOffset]) ){" "TW_STEP;")
insert_behind("    while( c->iOffset<c->nInput && isDelim(z[c->iOffset]) ){" "TW_STEP;")
insert_behind("    while( c->iOffset<c->nInput && !isDelim(z[c->iOffset]) ){" "TW_STEP;")
insert_behind("  for(i=0; i<nIn; i++){\n    char c = zIn[i];" "TW_STEP;")
insert_behind("    if( unicodeIsAlnum(p, (int)iCode) ) break;" "TW_STEP;")
insert_behind("    zEnd = z;\n    iOut = sqlite3FtsUnicodeFold((int)iCode, p->eRemoveDiacritic);" "TW_STEP;")
insert_behind("for(p=pRoot; p->eType==eType; p=p->pLeft){" "TW_STEP;")
insert_behind("for(p=pDel; p && (p->pLeft||p->pRight); p=(p->pLeft ? p->pLeft : p->pRight)){" "TW_STEP;")
insert_behind("        unsigned char ch = p[iStartOffset+i];" "TW_STEP;")
insert_behind("    h = (h<<3) ^ h ^ *z++;" "TW_STEP;")
insert_behind("      for(z2=&z[1]; 1; z2++){" "TW_STEP;")
insert_behind("      for(z2=&z[1]; sqlite3Fts5IsBareword(*z2); z2++" ", TW_STEP")
insert_behind("static int fts5LookaheadReaderNext(Fts5LookaheadReader *p){" "TW_STEP;")
insert_behind("    c = *pEnd++ & 0x80;" "TW_STEP;" 3)
insert_behind("      while( *p | c ) c = *p++ & 0x80" ", TW_STEP")
insert_behind("SQLITE_PRIVATE int sqlite3Fts3GetVarintU(const char *pBuf, sqlite_uint64 *v){" "TW_STEP;")
insert_behind("        while( 0xFE & (*p | c) ){" "TW_STEP;")
insert_behind("static void fts3GetDeltaPosition(char **pp, i64 *piPos){" "TW_STEP;")
insert_behind("static int fts3SnippetNextCandidate(SnippetIter *pIter){" "TW_WORK(1);")
# What DISTINCT, UNION and the like keep apart goes to a file at random beyond its cache: four times as slow with 2 MB.
insert_behind("      rc = sqlite3BtreeBeginTrans(pCx->ub.pBtx, 1, 0);" "sqlite3BtreeSetCacheSize(pCx->ub.pBtx, -TW_EPHEMERAL_CACHE_KIB);")
if(EXISTS ${counted})
  file(READ ${counted} counted_before)
endif()
if(NOT "${amalgamation}" STREQUAL "${counted_before}")
  file(WRITE ${counted} "${amalgamation}")
endif()
unset(amalgamation)
unset(counted_before)

add_library(tw_sqlite3 STATIC ${PROJECT_SOURCE_DIR}/src/sqlite/builtin_functions.c)
set_property(SOURCE ${PROJECT_SOURCE_DIR}/src/sqlite/builtin_functions.c PROPERTY OBJECT_DEPENDS ${counted})
target_include_directories(tw_sqlite3 SYSTEM PUBLIC ${folder})
target_include_directories(tw_sqlite3 PRIVATE ${PROJECT_BINARY_DIR}/sqlite ${PROJECT_SOURCE_DIR}/src/sqlite)
# A connection is used by one thread at a time, and memory is counted where it is taken. Double-quoted strings stay
# on: schemas in the field use them. What follows is what Debian's has too, so that files and SQL mean the same.
target_compile_definitions(tw_sqlite3 PRIVATE
  SQLITE_THREADSAFE=2
  SQLITE_DEFAULT_MEMSTATUS=0
  SQLITE_DQS=3
  SQLITE_OMIT_SHARED_CACHE
  SQLITE_ENABLE_COLUMN_METADATA
  SQLITE_ENABLE_DBSTAT_VTAB
  SQLITE_ENABLE_FTS3
  SQLITE_ENABLE_FTS3_PARENTHESIS
  SQLITE_ENABLE_FTS4
  SQLITE_ENABLE_FTS5
  SQLITE_ENABLE_MATH_FUNCTIONS
  SQLITE_ENABLE_RTREE
  SQLITE_ENABLE_STMTVTAB
  SQLITE_ENABLE_UPDATE_DELETE_LIMIT
  SQLITE_LIKE_DOESNT_MATCH_BLOBS
  SQLITE_MAX_VARIABLE_NUMBER=250000
  SQLITE_SOUNDEX
  SQLITE_USE_URI
  HAVE_FDATASYNC=1 HAVE_ISNAN=1 HAVE_STRCHRNUL=1 HAVE_USLEEP=1 HAVE_GMTIME_R=1 HAVE_LOCALTIME_R=1)
target_compile_definitions(tw_sqlite3 PUBLIC TRADEWIND_BUNDLED_SQLITE)
target_compile_options(tw_sqlite3 PRIVATE -w)
if(TRADEWIND_SANITIZE)
  target_compile_options(tw_sqlite3 PRIVATE -fno-sanitize=undefined)  # Not our code to change.
endif()
target_link_libraries(tw_sqlite3 PUBLIC Threads::Threads ${CMAKE_DL_LIBS} m)
add_library(SQLite::SQLite3 ALIAS tw_sqlite3)
