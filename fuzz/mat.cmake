vlreid_fuzz(mat DEPS attributes)
