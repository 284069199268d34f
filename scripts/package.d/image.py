"""The OCI image, made without a container engine, of Debian's packages and of ours."""

import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import deb

CONTAINERFILE = deb.ROOT / "deploy/Containerfile"
SETTINGS = deb.ROOT / "deploy/container.yaml"
SUITE = "bookworm"
# As deploy/compose.yaml names it.
NAME = "localhost/conversationd"
USER = 65532
# What nobody looks at in a container.
LEFT_OUT = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian",
            "usr/lib/systemd", "usr/lib/sysusers.d", "usr/lib/tmpfiles.d", "lib/systemd",
            "etc/conversationd",
            "usr/share/bash-completion", "usr/share/zsh", "usr/share/fish"]
PASSWD = (f"root:x:0:0:root:/:/sbin/nologin\n"
          f"conversationd:x:{USER}:{USER}:conversationd:/data:/sbin/nologin\n")
GROUP = f"root:x:0:\nconversationd:x:{USER}:\n"


def build(package, folder, epoch):
    """Makes an archive of a package's image, and returns its path.

    Its tags are the version and `latest`.
    """
    version = package.name.split("_")[1]
    archive = folder / f"conversationd-{version}-{deb.architecture()}.oci.tar"
    work = folder / "image"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        make_root(package, work / "rootfs.tar", work, epoch)
        build_from(CONTAINERFILE, work, version, epoch)
        pack(work / "layout", archive, epoch)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return archive


def make_root(package, target, work, epoch):
    """The file system: the package and what it is linked with, without a shell."""
    tree = work / "tree"
    tree.mkdir()
    debian = work / "debian.tar"
    # As they come: a program that has no scripts to run needs nothing configured.
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(libraries(package))}",
         SUITE, debian], check=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)})
    subprocess.run(["tar", "--extract", "--file", debian, "--directory", tree,
                    "--exclude=./dev/*"], check=True)
    subprocess.run(["dpkg-deb", "--extract", package, tree], check=True)
    notices(tree)
    for path in LEFT_OUT:
        shutil.rmtree(tree / path, ignore_errors=True)
    deb.copy(SETTINGS, tree / "etc/conversationd/conversationd.yaml")
    (tree / "etc/passwd").write_text(PASSWD, encoding="ascii")
    (tree / "etc/group").write_text(GROUP, encoding="ascii")
    for folder, mode, owner in [("tmp", 0o1777, 0), ("data", 0o700, USER)]:
        (tree / folder).mkdir(exist_ok=True)
        (tree / folder).chmod(mode)
        os.chown(tree / folder, owner, owner)
    shutil.rmtree(tree / "var", ignore_errors=True)
    write_archive(tree, target, epoch)
    shutil.rmtree(tree)
    debian.unlink()


def notices(tree):
    """Keeps the copyrights of what is in the image."""
    folder = tree / "usr/share/licenses"
    folder.mkdir(parents=True)
    for notice in (tree / "usr/share/doc").glob("*/copyright"):
        if notice.is_file():
            shutil.copy(notice, folder / notice.parent.name)


def libraries(package):
    """The names of what the program is linked with."""
    depends = deb.output("dpkg-deb", "--field", package, "Depends")
    names = [entry.split()[0] for entry in depends.split(", ") if "|" not in entry]
    assert names, depends
    return names


def write_archive(tree, target, epoch):
    """Packs a folder, with nothing in it that is of this machine or this moment."""
    def cleaned(entry):
        entry.mtime = epoch
        if entry.uid != USER:
            entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(tree.iterdir()):
            archive.add(path, path.name, filter=cleaned)


def build_from(containerfile, work, version, epoch):
    """Builds the image, and puts it into a layout."""
    storage = ["--storage-driver=vfs", f"--root={work}/storage", f"--runroot={work}/run"]
    run = {"check": True, "stdout": subprocess.DEVNULL}
    name = f"{NAME}:{version}"
    subprocess.run(
        ["buildah", *storage, "build", "--isolation=chroot", "--format=oci", f"--timestamp={epoch}",
         f"--label=org.opencontainers.image.version={version}",
         "--label=org.opencontainers.image.title=conversationd",
         "--label=org.opencontainers.image.licenses=Apache-2.0",
         f"--tag={name}", f"--file={containerfile}", work], **run)
    for tag in (version, "latest"):
        subprocess.run(
            ["buildah", *storage, "push", "--quiet", name,
             f"oci:{work}/layout:{NAME}:{tag}"], **run)


def pack(layout, archive, epoch):
    """Packs an OCI layout, with what `docker load` asks for beside it."""
    describe_for_docker(layout)
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as packed:
        for path in [layout / "oci-layout", layout / "index.json", *sorted(
                path for path in layout.rglob("*") if path.is_file()
                and path.name not in ("oci-layout", "index.json"))]:
            data = path.read_bytes()
            entry = tarfile.TarInfo(str(path.relative_to(layout)))
            entry.size, entry.mtime, entry.mode = len(data), epoch, 0o644
            packed.addfile(entry, io.BytesIO(data))


def describe_for_docker(layout):
    """Adds what `docker save` adds to a layout, and its image stores read: the name for containerd,
    and `manifest.json` for the older store, which does not know the layout."""
    index = json.loads((layout / "index.json").read_text(encoding="utf-8"))
    names = []
    for entry in index["manifests"]:
        names.append(entry["annotations"]["org.opencontainers.image.ref.name"])
        entry["annotations"]["io.containerd.image.name"] = names[-1]
    (layout / "index.json").write_text(json.dumps(index), encoding="utf-8")
    manifest = json.loads((layout / blob(index["manifests"][0])).read_text(encoding="utf-8"))
    (layout / "manifest.json").write_text(json.dumps([{
        "Config": blob(manifest["config"]), "RepoTags": names,
        "Layers": [blob(layer) for layer in manifest["layers"]]}]), encoding="utf-8")


def blob(descriptor):
    """The path of what a descriptor is of."""
    return "blobs/" + descriptor["digest"].replace(":", "/")
