# Unpacks what the build needs of a TensorFlow wheel, and nothing else: python3 unpack-wheel.py <wheel> <folder>
# The libraries go to <folder>/python, the C headers to <folder>/include. Prints the wheel's requirements
# of the extra `and-cuda`, one a line.
import pathlib
import re
import shutil
import sys
import zipfile

LIBRARY = re.compile(r"tensorflow/libtensorflow_(cc|framework)\.so\.\d+")
# What binding/*.cc of tfjs-node includes, directly and through others.
HEADER = re.compile(
    r"tensorflow/include/((tensorflow/(c|core/platform)|tsl/platform|xla/tsl/c)/.*\.h)"
)
NOTICES = re.compile(r"tensorflow/THIRD_PARTY_NOTICES\.txt")
CUDA = re.compile(r"""^Requires-Dist: ([\w.\[\]-]+ ?\(?[\w.,=<>!~ ]*\)?);.*extra == ["']and-cuda["']""")


def target_of(name):
    if ".." in name.split("/"):
        return None
    if LIBRARY.fullmatch(name) or NOTICES.fullmatch(name):
        return f"python/{name}"
    header = HEADER.fullmatch(name)
    return f"include/{header[1]}" if header else None


def main(wheel, folder):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        libraries = [name for name in names if LIBRARY.fullmatch(name)]
        if len(libraries) != 2:
            sys.exit(f"{wheel} has not the two libraries libtensorflow_cc and libtensorflow_framework")
        for name in names:
            target = target_of(name)
            if target is None:
                continue
            path = pathlib.Path(folder, target)
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, path.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
        for name in names:
            if re.fullmatch(r"[^/]+\.dist-info/METADATA", name):
                for line in archive.read(name).decode().splitlines():
                    cuda = CUDA.match(line)
                    if cuda:
                        print(cuda[1].replace(" ", "").strip("()"))


if len(sys.argv) != 3:
    sys.exit("usage: unpack-wheel.py <wheel> <folder>")
try:
    main(*sys.argv[1:])
except zipfile.BadZipFile as fault:
    sys.exit(f"it is damaged, or no wheel: {fault}")
