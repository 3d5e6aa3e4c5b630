"""An S3 store on one machine: OpenStack Swift with its S3 layer, all of it in one process, on disk, over HTTP.

    AWS_ACCESS_KEY_ID=account:user AWS_SECRET_ACCESS_KEY=... python docker/store.py FOLDER [BUCKET ...]

prints the port and serves until it is ended. Whoever has the key may do everything. The store keeps one copy of each
object; names of buckets need three letters or more.
"""

import argparse
import os
import secrets
import sys
import tempfile
from pathlib import Path

KEY, SECRET = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"


def serve(data: Path, buckets: list[str], host: str, port: int, user: str, secret: str, region: str) -> None:
    """Serve accounts, containers and objects, and S3 in front of them."""
    import eventlet

    eventlet.monkey_patch()
    import eventlet.wsgi
    from swift.common import utils

    # Rings and configs hold ports and the key of this start, so they do not lie beside the objects.
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "swift.conf").write_text(
            f"[swift-hash]\nswift_hash_path_prefix = {_salt(data)}\nswift_hash_path_suffix = lrface\n"
            "[storage-policy:0]\nname = single\ndefault = yes\n"
        )
        utils.set_swift_dir(scratch)
        from swift.common.wsgi import loadapp

        (data / "devices" / "disk").mkdir(parents=True, exist_ok=True)
        pool = eventlet.GreenPool(200)
        for name in ("account", "container", "object"):
            socket = eventlet.listen(("127.0.0.1", 0))
            _write_ring(folder, name, socket.getsockname()[1])
            (folder / f"{name}.conf").write_text(
                f"[DEFAULT]\nswift_dir = {folder}\ndevices = {data.resolve()}/devices\nmount_check = false\n"
                "disable_fallocate = true\nlog_level = ERROR\n"
                f"[pipeline:main]\npipeline = app\n[app:app]\nuse = egg:swift#{name}\n"
            )
            pool.spawn(eventlet.wsgi.server, socket, loadapp(str(folder / f"{name}.conf")), log_output=False)
        (folder / "proxy.conf").write_text(
            f"[DEFAULT]\nswift_dir = {folder}\nlog_level = ERROR\n"
            "[pipeline:main]\npipeline = catch_errors gatekeeper cache bulk slo s3api tempauth copy proxy-server\n"
            "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
            "[filter:catch_errors]\nuse = egg:swift#catch_errors\n[filter:gatekeeper]\nuse = egg:swift#gatekeeper\n"
            "[filter:cache]\nuse = egg:swift#memcache\nmemcache_servers = 127.0.0.1:9\nlog_level = CRITICAL\n"
            "[filter:bulk]\nuse = egg:swift#bulk\n[filter:slo]\nuse = egg:swift#slo\n"
            "[filter:copy]\nuse = egg:swift#copy\n"
            f"[filter:s3api]\nuse = egg:swift#s3api\nlocation = {region}\n"
            f"[filter:tempauth]\nuse = egg:swift#tempauth\nuser_{user.replace(':', '_')} = {secret} .admin\n"
        )
        proxy = loadapp(str(folder / "proxy.conf"))
        for bucket in buckets:
            _make_bucket(proxy, user.partition(":")[0], bucket)
        socket = eventlet.listen((host, port))
        print(socket.getsockname()[1], flush=True)
        eventlet.wsgi.server(socket, proxy, log_output=False, custom_pool=pool)


def _salt(data: Path) -> str:
    """Where an object lies depends on it, so it stays what it was at the first start."""
    path = data / "salt"
    if not path.exists():
        data.mkdir(parents=True, exist_ok=True)
        written = data / "salt.partial"
        written.write_text(secrets.token_hex(16))
        written.replace(path)
    return path.read_text()


def _write_ring(folder: Path, name: str, port: int) -> None:
    from swift.common.ring import RingBuilder

    builder = RingBuilder(1, 1, 0)
    address = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port}
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "device": "disk", "meta": "", **address})
    builder.rebalance()
    builder.get_ring().save(str(folder / f"{name}.ring.gz"))


def _make_bucket(proxy: object, account: str, bucket: str) -> None:
    from swift.common.swob import Request

    path = f"/v1/AUTH_{account}/{bucket}"
    environ = {"swift.authorize_override": True, "REMOTE_USER": account}
    answer = Request.blank(path, environ=environ, method="PUT").get_response(proxy)
    if not answer.is_success:
        sys.exit(f"error: bucket {bucket}: got {answer.status}, expected it to be made; look at the store's folder")


def main() -> None:
    """Serve what the command line and the environment say."""
    parser = argparse.ArgumentParser(description="Serve S3 from a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("buckets", nargs="*", help="buckets to make where they are not there")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--region", default="us-east-1")
    given = parser.parse_args()
    user, secret = os.environ.get(KEY, ""), os.environ.get(SECRET, "")
    if ":" not in user or not secret or any(sign.isspace() for sign in user + secret):
        sys.exit(f"error: {KEY}, {SECRET}: got none, or not of this form; expected account:user and a secret; set them")
    serve(given.folder, given.buckets, given.host, given.port, user, secret, given.region)


if __name__ == "__main__":
    main()
