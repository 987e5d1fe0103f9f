# embed_vocabulary(TARGET SOURCE) compiles CLIP's vocabulary file into TARGET through SOURCE, which puts the bytes of
# VLREID_VOCABULARY_FILE into the object file, so that the program needs no file beside it.
set(VLREID_VOCABULARY "${CMAKE_SOURCE_DIR}/build/vocabulary/bpe_simple_vocab_16e6.txt.gz" CACHE FILEPATH
    "CLIP's vocabulary: bpe_simple_vocab_16e6.txt.gz")
set(VLREID_VOCABULARY_SHA256 924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a)

function(embed_vocabulary target source)
  if(NOT EXISTS "${VLREID_VOCABULARY}")
    message(FATAL_ERROR "CLIP's vocabulary is not at ${VLREID_VOCABULARY}; run ./dev setup, or set VLREID_VOCABULARY to the file")
  endif()
  file(SHA256 "${VLREID_VOCABULARY}" sha256)
  if(NOT sha256 STREQUAL VLREID_VOCABULARY_SHA256)
    message(FATAL_ERROR "${VLREID_VOCABULARY} has SHA-256 ${sha256}; ${VLREID_VOCABULARY_SHA256} is needed; remove it and run ./dev setup")
  endif()
  set_source_files_properties("${source}" TARGET_DIRECTORY ${target} PROPERTIES
    COMPILE_DEFINITIONS "VLREID_VOCABULARY_FILE=\"${VLREID_VOCABULARY}\"" OBJECT_DEPENDS "${VLREID_VOCABULARY}")
endfunction()
