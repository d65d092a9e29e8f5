print("swbox-image: not built yet")
