package templates

import (
	"iter"
	"sort"
	"strings"
	"unicode"
)

const (
	pointMM    = 25.4 / 72 // millimetres of a point
	cellPad    = 1.2       // millimetres between the frame and the text
	lineHeight = 1.28      // of the size of letters
	leastSize  = 4.5       // points
	sizeStep   = 0.25
)

// textLine is one line of text at its place: the baseline, its start and width in millimetres.
type textLine struct {
	Text        string
	X, Y, Width float64
	Size        float64 // points
}

// measure returns the width in millimetres of text with letters of a size in points.
type measure func(text string, size float64) float64

// fit breaks the text of a cell into lines and makes its letters small enough for all of it. What
// does not fit even with the smallest letters is cut, and an ellipsis says so.
func (c *cell) fit(m measure) {
	text := printable(c.text)
	if text == "" {
		return
	}
	var lines []string
	size := c.size
	for ; ; size -= sizeStep {
		if size < leastSize {
			size = leastSize
		}
		lines = c.breakAt(text, size, m)
		if c.holds(lines, size, m) || size == leastSize {
			break
		}
	}
	c.place(c.cut(lines, size, m), size, m)
}

func (c *cell) room() float64 { return c.W - 2*cellPad }

// most returns how many lines the cell has room for at a size, one at least.
func (c *cell) most(size float64) int { return max(1, int(c.H/(size*pointMM*lineHeight))) }

// breakAt breaks a text into lines; what comes after the first that the cell has no room for is left out.
func (c *cell) breakAt(text string, size float64, m measure) []string {
	var lines []string
	for _, paragraph := range strings.Split(text, "\n") {
		if c.oneLine {
			lines = append(lines, paragraph)
			continue
		}
		for line := range wrap(paragraph, func(s string) bool { return m(s, size) <= c.room() }) {
			if lines = append(lines, line); len(lines) > c.most(size) {
				return lines
			}
		}
	}
	return lines
}

func (c *cell) holds(lines []string, size float64, m measure) bool {
	for _, l := range lines {
		if m(l, size) > c.room() {
			return false
		}
	}
	return float64(len(lines))*size*pointMM*lineHeight <= c.H
}

// cut returns the lines that the cell has room for at a size.
func (c *cell) cut(lines []string, size float64, m measure) []string {
	most := c.most(size)
	short := len(lines) > most
	if short {
		lines = lines[:most]
	}
	for n, l := range lines {
		if last := short && n == len(lines)-1; last || m(l, size) > c.room() {
			letters := []rune(l)
			keep := sort.Search(len(letters), func(n int) bool { return m(string(letters[:n+1])+"…", size) > c.room() })
			lines[n] = string(letters[:keep]) + "…"
		}
	}
	return lines
}

func (c *cell) place(lines []string, size float64, m measure) {
	step := size * pointMM * lineHeight
	top := c.Y + (c.H-float64(len(lines))*step)/2
	for n, l := range lines {
		width := m(l, size)
		x := c.X + cellPad
		switch c.align {
		case centre:
			x = c.X + (c.W-width)/2
		case right:
			x = c.X + c.W - cellPad - width
		case left:
		}
		baseline := top + float64(n)*step + step/2 + 0.36*size*pointMM
		c.Lines = append(c.Lines, textLine{Text: l, X: x, Y: baseline, Width: width, Size: size})
	}
}

// wrap breaks text into lines that fit, at a space where there is one.
func wrap(text string, fits func(string) bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		letters := []rune(text)
		for len(letters) > 0 {
			n := 1
			for n < len(letters) && fits(string(letters[:n+1])) {
				n++
			}
			next := n
			if n < len(letters) {
				for at := n; at > n/2; at-- {
					if letters[at] == ' ' {
						n, next = at, at+1
						break
					}
				}
			}
			if !yield(string(letters[:n])) {
				return
			}
			letters = letters[next:]
		}
	}
}

// printable returns text of which the font has every letter, with a box for one that it lacks. A line
// break of the form stays.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r >= ' ' && r < 0x7f, r >= 0xa0 && r <= 0xff && r != 0xad, // ASCII and Latin
			r >= 0x3131 && r <= 0x318e, r >= 0xac00 && r <= 0xd7a3, // Hangul
			r >= 0x4e00 && r <= 0x9fff,                             // Hanja
			r >= 0x3001 && r <= 0x3015, r >= 0xff01 && r <= 0xff5e, // punctuation of Korea, full width
			strings.ContainsRune("‘’“”…·–—※™㈜□₩€", r):
			return r
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Mn, r) || unicode.IsControl(r):
			return -1
		}
		return '□'
	}, text)
}
