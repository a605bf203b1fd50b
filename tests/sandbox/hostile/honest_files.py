# honest: ordinary use of files, archives and folders, which the library profile allows
# test: assert f("hello") == ["a.txt", "b.zip", "c.db"]
# test: assert g() == [0, 1, 4]
# expect: passed or failed or crashed
# expect in library: passed
import asyncio
import os
import pathlib
import shutil
import sqlite3
import tempfile
import zipfile


def f(text):
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "a.txt").write_text(text)
    with zipfile.ZipFile(folder / "b.zip", "w") as archive:
        archive.write(folder / "a.txt", "a.txt")
    with sqlite3.connect(folder / "c.db") as database:
        database.execute("create table t (x)")
        database.execute("insert into t values (1)")
    database.close()
    shutil.copytree(folder, "copy")
    names = sorted(os.listdir("copy"))
    shutil.rmtree("copy")
    shutil.rmtree(folder)
    return names


async def square(n):
    await asyncio.sleep(0)
    return n * n


def g():
    async def main():
        return await asyncio.gather(*(square(n) for n in range(3)))

    return asyncio.run(main())
