package botfile

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// list returns the files of a folder that are of the bot, in order, and complains of what is not.
func (r *reader) list(fsys fs.FS) (files []*file) {
	root := &file{reader: r}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		root.add(place{}, "", "the folder cannot be read")
		return nil
	}
	var size int64
	take := func(name string, entry fs.DirEntry, is bool) {
		f := &file{reader: r, name: name}
		info, err := entry.Info()
		switch {
		case entry.IsDir():
			f.add(place{}, "", "is a folder; a bot has %s alone", blocksDir)
		case !is:
			f.add(place{}, "", "is no file of a bot; there are %s, %s/*.yaml and one of %s", botYAML, blocksDir, strings.Join(knowledgeFiles, " and "))
		case !entry.Type().IsRegular():
			f.add(place{}, "", "is a link; put the file itself there")
		case err != nil:
			f.add(place{}, "", "cannot be read")
		default:
			size += info.Size()
			files = append(files, f)
		}
	}
	for _, entry := range entries {
		name := entry.Name()
		if aside(name) {
			continue
		}
		if name != blocksDir || !entry.IsDir() {
			take(name, entry, name == botYAML || slices.Contains(knowledgeFiles, name))
			continue
		}
		blocks, err := fs.ReadDir(fsys, blocksDir)
		if err != nil {
			(&file{reader: r, name: blocksDir}).add(place{}, "", "cannot be read")
		}
		for _, block := range blocks {
			if !aside(block.Name()) {
				take(path.Join(blocksDir, block.Name()), block, strings.HasSuffix(block.Name(), ".yaml"))
			}
		}
	}
	has := func(name string) bool {
		return slices.ContainsFunc(entries, func(entry fs.DirEntry) bool { return entry.Name() == name })
	}
	if !has(botYAML) {
		(&file{reader: r, name: botYAML}).add(place{}, "", "is missing; it says the id and the name of the bot")
	}
	if has(knowledgeCSV) && has(knowledgeXLSX) {
		(&file{reader: r, name: knowledgeXLSX}).add(place{}, "", "stands beside %s; have one of them", knowledgeCSV)
		files = slices.DeleteFunc(files, func(f *file) bool { return f.name == knowledgeXLSX })
	}
	if len(files) > MaxFiles || size > MaxBytes {
		root.add(place{}, "", "the folder has %d files of %d bytes; at most %d and %d are read", len(files), size, MaxFiles, MaxBytes)
		return nil
	}
	return files
}

// aside reports whether a file may lie in a folder without being of the bot: hidden, a note, or what
// spreadsheet programs and archives leave.
func aside(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~$") || strings.HasSuffix(name, ".md") || name == "__MACOSX"
}

// text reads a file of at most so many bytes.
func (f *file) text(fsys fs.FS, most int64) (text []byte, ok bool) {
	opened, err := fsys.Open(f.name)
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(opened, most+1))
		err = errors.Join(err, opened.Close())
	}
	switch {
	case err != nil:
		f.add(place{}, "", "cannot be read")
	case int64(len(text)) > most:
		f.add(place{}, "", "is more than %d bytes long", most)
	default:
		return text, true
	}
	return nil, false
}

// Pack returns a folder as a zip archive of the files that [Read] reads, the same bytes for the same
// files. There are problems when it cannot be read, or holds what is not of a bot.
func Pack(fsys fs.FS) ([]byte, []Problem) {
	r := &reader{ctx: context.Background()} // a folder of few files is read in no time
	files := map[string][]byte{}
	for _, f := range r.list(fsys) {
		if text, ok := f.text(fsys, MaxBytes); ok {
			files[f.name] = text
		}
	}
	if len(r.problems) > 0 {
		return nil, r.sorted()
	}
	return Zip(files), nil
}
