package botfile

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/malgil/malgil/internal/fault"
)

// MediaType is the Content-Type of a folder as a zip archive.
const MediaType = "application/zip"

const passwordFlag = 1

// Zip returns files by name as an archive, the same bytes for the same files.
func Zip(files map[string][]byte) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		part, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate}) // no time
		if err == nil {
			_, err = part.Write(files[name])
		}
		if err != nil {
			panic("botfile: " + err.Error()) // memory takes everything
		}
	}
	if err := w.Close(); err != nil {
		panic("botfile: " + err.Error())
	}
	return b.Bytes()
}

// Unzip returns the files of an archive, to be given to [Read]. The bot may lie in one folder of it. It is
// Invalid for what is no archive of a bot: for other kinds of files, names that lead elsewhere, names twice,
// and for more than [MaxBytes] unpacked. No more than that is ever unpacked, whatever the archive says.
func Unzip(archive []byte) (fs.FS, error) {
	wrong := func(format string, args ...any) (fs.FS, error) { return nil, fault.New(fault.Invalid, format, args...) }
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return wrong("the body is no zip archive")
	}
	if len(r.File) > 2*MaxFiles {
		return wrong("the archive has %d files, a bot has at most %d", len(r.File), MaxFiles)
	}
	var size uint64
	seen := map[string]bool{}
	tops := map[string]bool{}
	for _, f := range r.File {
		name := strings.TrimSuffix(f.Name, "/")
		mode := f.Mode()
		switch size += min(f.UncompressedSize64, MaxBytes+1); {
		case !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, "\\:") || !fault.OneLine(name) || len(name) > maxName:
			return wrong("the archive has a file with a name that is not taken: %q", cut(name))
		case seen[name]:
			return wrong("the archive has %q twice", name)
		case !mode.IsRegular() && !mode.IsDir():
			return wrong("the archive has a link: %q; put the file itself there", name)
		case f.Flags&passwordFlag != 0:
			return wrong("the archive has a password; send it without")
		case f.Method != zip.Store && f.Method != zip.Deflate:
			return wrong("the archive is packed in a way that is not read; pack it as plain zip")
		case size > MaxBytes:
			return wrong("the archive has more than %d MiB when it is unpacked", MaxBytes>>20)
		}
		seen[name] = true
		if top, _, _ := strings.Cut(name, "/"); !aside(top) {
			tops[top] = true
		}
	}
	if len(tops) == 1 && !seen[botYAML] {
		for top := range tops {
			if seen[top+"/"+botYAML] {
				return fs.Sub(r, top)
			}
		}
	}
	return r, nil
}

func cut(name string) string {
	if len(name) > maxName {
		return name[:maxName] + "…"
	}
	return name
}
