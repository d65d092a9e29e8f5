print("swnet: not built yet")
