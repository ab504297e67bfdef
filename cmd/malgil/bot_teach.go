package main

import "fmt"

// botTeach adds an item to a knowledge base.
type botTeach struct {
	remote
	Bot      string   `arg:"" help:"Bot."`
	Question string   `arg:"" help:"As customers ask it."`
	Answer   string   `arg:"" help:"What they read."`
	Category []string `help:"Categories, from wide to narrow; four at most."`
	Image    string   `help:"Address of a picture."`
	Link     string   `help:"Address where more is said."`
	Note     string   `help:"What is new; one line."`
	Deploy   bool     `help:"Make it live at once; refused where the newest version is not the live one, unless --on says which to build on."`
	On       int64    `placeholder:"VERSION" help:"Version to build on; the newest, when left out."`
}

// Run adds the item, and says how it comes to the users when that is not done.
func (c botTeach) Run(e *env) error {
	body := map[string]any{"question": c.Question, "answer": c.Answer, "deploy": c.Deploy}
	for name, value := range map[string]string{"image_url": c.Image, "landing_url": c.Link, "note": c.Note} {
		if value != "" {
			body[name] = value
		}
	}
	if len(c.Category) > 0 {
		body["categories"] = c.Category
	}
	if c.On != 0 {
		body["on"] = c.On
	}
	var made struct {
		versionRow
		Near []struct {
			Block    string `json:"block"`
			Words    string `json:"words"`
			Question string `json:"question"`
			Score    int    `json:"score"`
		} `json:"near"`
	}
	return c.call(e, "POST", botPath(c.Bot)+"/knowledge", body, &made, func() {
		fmt.Fprintf(e.stdout, "version %d of bot %s: %d blocks, %d knowledge items\n", made.Version, c.Bot, made.Blocks, made.Items)
		for _, near := range made.Near {
			other := fmt.Sprintf("item %q", near.Question)
			if near.Block != "" {
				other = fmt.Sprintf("%q of block %s", near.Words, near.Block)
			}
			fmt.Fprintf(e.stderr, "much like its question: %s, which scores %d for it; let one answer do, or see what users get with malgil bot explain\n", other, near.Score)
		}
		if made.Live {
			fmt.Fprintln(e.stdout, "live")
			return
		}
		fmt.Fprintf(e.stderr, "the development channel runs it; make it live with: malgil bot deploy %s %d\n", c.Bot, made.Version)
	})
}
