print("swbox-monitor: not built yet")
