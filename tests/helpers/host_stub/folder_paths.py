base = None  # a test's folder


def get_output_directory():
    return str(base / "output")


def get_system_user_directory(name):
    return str(base / "user" / f"__{name}")
