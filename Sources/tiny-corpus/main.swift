print("tiny-corpus")
