"""What a disk may hold after a power cut, made up from what was done to it (disk.c writes that down).

    disk = Disk(root)            # as it is now counts as safe
    ...                          # the program runs, is killed
    disk.replay(journal)
    disk.cut(dice, how)          # below root is now one of the states that the cut may have left

What was synced is there. What a sync failed on is not, although it can still be read before the cut. What was not may be there, in part (sectors of 512 bytes), in any order, or not at
all; a length may have changed without the bytes. Names of a directory that was not synced come in the order in
which they were made, up to some moment: a new file that was synced itself may so be without a name.
"""
import os
import shutil
import struct
from pathlib import Path

WRITE, SIZE, SYNC, CREATE, MKDIR, LINK, RENAME, UNLINK, LOST = range(1, 10)
RECORD = struct.Struct("<QQqQQ")
SECTOR = 512
# Share of what was not synced that is there all the same; None: all up to a moment, the last of it torn.
WAYS = {"nothing": 0.0, "little": 0.1, "half": 0.5, "most": 0.9, "all": 1.0, "until": None}
DIRECTORY = object()


def records(path):
    """(op, inode, at, first, second) of a journal; one that was cut off in the middle is left out."""
    data, at = path.read_bytes(), 0
    while at + RECORD.size <= len(data):
        op, inode, place, first, second = RECORD.unpack_from(data, at)
        end = at + RECORD.size + first + second
        if end > len(data):
            return
        middle = at + RECORD.size + first
        yield op, inode, place, data[at + RECORD.size:middle].decode(), data[middle:end]
        at = end


def put(content, offset, data):
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset:offset + len(data)] = data


def resize(content, size):
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


class Disk:
    def __init__(self, root):
        self.root = Path(root)
        self.names = {}     # safe: path -> inode
        self.content = {}   # safe: inode -> bytearray or DIRECTORY
        self.pending = {}   # inode -> [(number, op, offset or size, data)]
        self.renamed = []   # [(number, op, path, inode, new path)]: of names, not safe
        self.number = 0
        self.above = self.root.parent.stat().st_ino  # it is there; root's name in it may not be
        self.content[self.above] = DIRECTORY
        if self.root.exists():
            for path in [self.root, *self.root.rglob("*")]:
                self._take(path)

    def _take(self, path):
        inode = path.lstat().st_ino
        if path.is_dir():
            self.content[inode] = DIRECTORY
        elif path.is_file():
            self.content[inode] = bytearray(path.read_bytes())
        else:
            return  # a socket
        self.names[str(path)] = inode

    # ---- what was done

    def replay(self, journal):
        for op, inode, at, first, second in records(journal):
            self._do(op, inode, at, first, second)
            self.number += 1

    def _do(self, op, inode, at, first, second):
        if op in (WRITE, SIZE):
            self.pending.setdefault(inode, []).append((self.number, op, at, second))
        elif op == SYNC:
            self._sync(inode, at)
        elif op == LOST:  # it is in memory, and the next sync will not write it
            self.pending[inode] = [p for p in self.pending.get(inode, []) if p[0] >= at]
        else:
            if op in (CREATE, MKDIR):  # an inode's number may have been another file's before
                self.content[inode] = DIRECTORY if op == MKDIR else bytearray()
                self.pending.pop(inode, None)
            self.renamed.append((self.number, op, first, inode, second.decode()))

    def _sync(self, inode, before):
        if self.content.get(inode) is DIRECTORY:
            return self._sync_names(inode, before)
        done = [p for p in self.pending.get(inode, []) if p[0] < before]
        for _, op, at, data in done:
            put(self.content[inode], at, data) if op == WRITE else resize(self.content[inode], at)
        self.pending[inode] = [p for p in self.pending.get(inode, []) if p[0] >= before]

    def _sync_names(self, inode, before):
        """By inode, since the directory itself may not be safe yet."""
        left = []
        for change in self.renamed:
            if change[0] < before and self._directory_of(change[2]) == inode:
                self._rename(self.names, change)
            else:
                left.append(change)
        self.renamed = left

    def _directory_of(self, path):
        parent = str(Path(path).parent)
        if path == str(self.root):
            return self.above
        if parent in self.names:
            return self.names[parent]
        return next((c[3] for c in reversed(self.renamed) if c[1] == MKDIR and c[2] == parent), None)

    @staticmethod
    def _rename(names, change):
        _, op, path, inode, new = change
        if op == UNLINK:
            names.pop(path, None)
        elif op == RENAME:
            names[new] = names.pop(path, inode)
        else:
            names[path] = inode

    def unsafe(self):
        """How much a cut may change now: writes, lengths and names that were not synced."""
        return len(self.renamed) + sum(len(p) for p in self.pending.values())

    # ---- the cut

    def cut(self, dice, how):
        """Makes the directory so. how: of WAYS."""
        share = WAYS[how]
        names = dict(self.names)
        kept = dice.randint(0, len(self.renamed)) if share is None else round(share * len(self.renamed))
        for change in self.renamed[:kept]:
            self._rename(names, change)
        moment = dice.randint(0, self.number)
        names = {path: inode for path, inode in names.items() if self._reachable(path, names)}
        files = {inode: self._survivor(inode, dice, share, moment) for inode in sorted(set(names.values()))}
        self._write(names, files)

    def _reachable(self, path, names):
        while path != str(self.root):
            path = str(Path(path).parent)
            if path not in names:
                return False
        return path in names

    def _survivor(self, inode, dice, share, moment):
        content = self.content[inode]
        if content is DIRECTORY:
            return content
        content = bytearray(content)
        for number, op, at, data in self.pending.get(inode, []):
            here = share
            if share is None:
                here = 1.0 if number < moment else 0.5 if number == moment else 0.0
            if op == SIZE:
                if dice.random() < here:
                    resize(content, at)
                continue
            for sector in range(0, len(data), SECTOR):
                if dice.random() < here:
                    put(content, at + sector, data[sector:sector + SECTOR])
        return content

    def _write(self, names, files):
        shutil.rmtree(self.root, ignore_errors=True)
        for path, inode in sorted(names.items()):
            if files[inode] is DIRECTORY:
                os.mkdir(path, 0o700)
            elif not path.endswith("-shm"):  # memory: of that no disk keeps anything sure
                Path(path).write_bytes(files[inode])
                os.chmod(path, 0o600)
