"""A store that speaks S3, on this computer."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem


@contextmanager
def bucket_with(folder: Path) -> Iterator[Path]:
    """The address of a folder there with the same files, and some that are no recordings."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    settings |= {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            S3FileSystem.clear_instance_cache()
            system = S3FileSystem(skip_instance_cache=True)
            with suppress(FileNotFoundError):  # all such stores of a process are one
                system.rm("speech", recursive=True)
            system.mkdir("speech")
            for file in filter(Path.is_file, folder.rglob("*")):
                system.put_file(str(file), f"speech/far/{file.relative_to(folder).as_posix()}")
            system.put_file(str(next(folder.rglob("*.wav"))), "speech/far/.hidden/x_1.wav")
            system.pipe_file("speech/far/readme.txt", b"no sound")
            system.pipe_file("speech/far/_background_noise_/no.wav", b"no sound")
            yield Path("s3://speech/far")
    finally:
        server.stop()
        S3FileSystem.clear_instance_cache()
        with warnings.catch_warnings():  # its sessions close when nobody holds them any more
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
