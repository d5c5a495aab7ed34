class BinaryEventTypes:
    TEXT = 3
