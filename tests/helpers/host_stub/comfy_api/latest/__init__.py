from io import BytesIO

from . import io as io
from . import ui as ui

progress = []  # (node id, value, max)


class ComfyExtension:
    async def on_load(self):
        pass


class ComfyAPI:
    class Execution:
        async def set_progress(self, value, max_value, node_id=None):
            progress.append((node_id, value, max_value))

    execution = Execution()


class VideoFromFile:
    def __init__(self, file):
        self.file = file

    def get_stream_source(self):
        return self.file

    def get_duration(self):
        import av

        if isinstance(self.file, BytesIO):
            self.file.seek(0)
        with av.open(self.file) as container:
            return container.duration / av.time_base


class InputImpl:
    VideoFromFile = VideoFromFile


class Types:
    class VideoContainer:
        MP4 = "mp4"

    class VideoCodec:
        H264 = "h264"
