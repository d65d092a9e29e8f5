print("swbox: not built yet")
