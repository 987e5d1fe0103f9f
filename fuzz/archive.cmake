vlreid_fuzz(archive DEPS archive)
vlreid_fuzz(safetensors DEPS archive)
