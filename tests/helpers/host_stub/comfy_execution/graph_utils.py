class ExecutionBlocker:
    def __init__(self, message):
        self.message = message
