vlreid_fuzz(image DEPS image)
