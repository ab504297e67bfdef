// Package disk tells how full disks are.
package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Folder is a place on a disk that needs free space; What says what is in it. It need not be there
// yet.
type Folder struct{ What, Path string }

// Space is that of a disk, in bytes.
type Space struct {
	Path string // the folder that was looked at: the given one, or the nearest above it that is there
	Free uint64 // for who is not root
	All  uint64 // as df counts it: what is used, and what is free for who is not root; 0 where a disk has no size
}

// Space looks at the disk of a folder. The error names the folder.
func (f Folder) Space() (Space, error) {
	path := existing(f.Path)
	var disk syscall.Statfs_t
	if err := syscall.Statfs(path, &disk); err != nil {
		return Space{}, fmt.Errorf("%s cannot be looked at: %w", path, err)
	}
	size := uint64(disk.Bsize)
	free := uint64(disk.Bavail) * size
	return Space{Path: path, Free: free, All: (uint64(disk.Blocks)-uint64(disk.Bfree))*size + free}, nil
}

// Free returns which part of the folder's disk is free, 1 where it has no size.
func (f Folder) Free() (float64, error) {
	s, err := f.Space()
	if err != nil || s.All == 0 {
		return 1, err
	}
	return float64(s.Free) / float64(s.All), nil
}

// existing returns a folder, or the nearest one above it that is there already.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}
