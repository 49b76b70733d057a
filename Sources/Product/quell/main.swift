print("quell")
