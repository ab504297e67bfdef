package main

import (
	"fmt"
	"time"
)

type purgeRow struct {
	Day     string    `json:"day"`
	Level   int       `json:"level"`
	Before  time.Time `json:"before"`
	Removed int64     `json:"removed"`
	Oldest  time.Time `json:"oldest"`
	Newest  time.Time `json:"newest"`
	EndedAt time.Time `json:"ended_at"`
}

type botPurges struct {
	remote
	list
	Bot string `arg:"" help:"Bot."`
}

// Run lists what was removed of a bot's utterances.
func (c botPurges) Run(e *env) error {
	header := []string{"DAY", "LEVEL", "SAID BEFORE", "REMOVED", "OLDEST", "NEWEST", "ENDED"}
	return listAll(c.remote, e, c.list, botPath(c.Bot)+"/purges", header, func(p purgeRow) []string {
		return []string{p.Day, fmt.Sprint(p.Level), when(p.Before), won(p.Removed), when(p.Oldest), when(p.Newest), when(p.EndedAt)}
	})
}
