package sheet

import (
	"bufio"
	"bytes"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/transform"

	"github.com/malgil/malgil/internal/fault"
)

// Charset is a character set of CSV.
type Charset string

// The character sets.
const (
	UTF8  Charset = "utf-8"
	CP949 Charset = "cp949" // EUC-KR with the letters that Windows adds
)

// Charsets are the names under which character sets are known, in small letters.
var Charsets = map[string]Charset{
	"utf-8": UTF8, "utf8": UTF8, "us-ascii": UTF8,
	"cp949": CP949, "euc-kr": CP949, "euckr": CP949, "ms949": CP949, "uhc": CP949, "windows-949": CP949, "x-windows-949": CP949,
	"ks_c_5601-1987": CP949, "ksc5601": CP949,
}

// window is how much of a file is looked at, from its first letter beyond ASCII on, to recognise its
// character set.
const window = 64 << 10

// decoder reads a file as UTF-8. Where no character set is named it passes ASCII on, which is the
// same in both, and decides at the first other letter: UTF-8 when what follows is that, else CP949
// when it is that. What is neither stays as it is.
type decoder struct {
	from *bufio.Reader
	set  Charset   // empty as long as it is not decided
	rest io.Reader // what is read once it is
}

// newDecoder passes over a byte order mark, which says UTF-8. It is Invalid for UTF-16.
func newDecoder(from io.Reader, set Charset) (*decoder, error) {
	d := &decoder{from: bufio.NewReaderSize(from, window), set: set}
	mark, err := d.from.Peek(3)
	switch {
	case string(mark) == "\uFEFF":
		_, _ = d.from.Discard(3) // Peek has shown that they are there
		d.set = UTF8
	case len(mark) >= 2 && (string(mark[:2]) == "\xFF\xFE" || string(mark[:2]) == "\xFE\xFF"):
		return nil, fault.New(fault.Invalid, "must not be UTF-16; save the file as CSV UTF-8")
	case err != nil && err != io.EOF:
		return nil, err
	}
	if d.set != "" {
		d.decide(d.set)
	}
	return d, nil
}

func (d *decoder) decide(set Charset) {
	d.set, d.rest = set, d.from
	if set == CP949 {
		d.rest = transform.NewReader(d.from, korean.EUCKR.NewDecoder())
	}
}

// Read implements [io.Reader].
func (d *decoder) Read(p []byte) (int, error) {
	if d.rest != nil {
		return d.rest.Read(p)
	}
	if _, err := d.from.Peek(1); err != nil {
		return 0, err
	}
	ready, _ := d.from.Peek(min(d.from.Buffered(), len(p)))
	plain := 0
	for plain < len(ready) && ready[plain] < utf8.RuneSelf {
		plain++
	}
	if plain > 0 {
		copy(p, ready[:plain])
		return d.from.Discard(plain)
	}
	sample, _ := d.from.Peek(window) // an error is met again by who reads on
	d.decide(recognise(sample))
	return d.rest.Read(p)
}

// recognise tells the character set of a text that may be cut off within its last letter.
func recognise(sample []byte) Charset {
	if valid(sample) {
		return UTF8
	}
	if text, _, err := transform.Bytes(korean.EUCKR.NewDecoder(), whole949(sample)); err == nil && !bytes.ContainsRune(text, utf8.RuneError) {
		return CP949
	}
	return UTF8
}

// valid reports whether a text is UTF-8 but for a last letter that may be cut off.
func valid(text []byte) bool {
	for cut := range min(utf8.UTFMax, len(text)+1) {
		head, tail := text[:len(text)-cut], text[len(text)-cut:]
		if utf8.Valid(head) && !utf8.FullRune(tail) {
			return true
		}
	}
	return false
}

// whole949 leaves out the first half of a letter at the end of a text in CP949.
func whole949(text []byte) []byte {
	end := 0
	for end < len(text) {
		size := 1
		if text[end] >= utf8.RuneSelf {
			size = 2
		}
		if end+size > len(text) {
			break
		}
		end += size
	}
	return text[:end]
}
