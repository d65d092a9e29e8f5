print("swrun: not built yet")
