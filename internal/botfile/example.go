package botfile

import (
	"embed"
	"io/fs"
)

//go:embed example
var example embed.FS

// Example returns the folder of a bookshop's bot, with comments: where one begins.
func Example() fs.FS {
	folder, err := fs.Sub(example, "example")
	if err != nil {
		panic("botfile: " + err.Error()) // it is embedded
	}
	return folder
}
