vlreid_fuzz(yaml DEPS config)
