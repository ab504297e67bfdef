package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/malgil/malgil/internal/botfile"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
)

type botInit struct {
	Folder string `arg:"" help:"New or empty folder."`
}

// Run writes the example.
func (c botInit) Run(e *env) error {
	if err := isFree(c.Folder); err != nil {
		return err
	}
	if err := os.CopyFS(c.Folder, botfile.Example()); err != nil {
		return fmt.Errorf("write the example: %w", err)
	}
	fmt.Fprintf(e.stdout, "%s is the bot of a bookshop: change its files, then run malgil bot check %s\n", c.Folder, c.Folder)
	return nil
}

type botCheck struct {
	Folder   string   `arg:"" help:"Folder of a bot."`
	Loopback bool     `help:"Let skill servers be http on this machine, as those of a demo are."`
	Private  []string `name:"private-host" placeholder:"HOST" env:"MALGIL_SKILL_PRIVATE_HOSTS" help:"Hosts whose skill servers may be http, as the server has them set."`
	JSON     bool     `help:"Print JSON."`
}

// checkedProblem is a problem as JSON.
type checkedProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

// Run checks a folder.
func (c botCheck) Run(e *env) error {
	folder, err := os.OpenRoot(c.Folder) // no link leads out of it
	if err != nil {
		return fault.Field("folder", "cannot be opened: %v", err)
	}
	defer folder.Close()
	content, header, problems := botfile.Read(e.ctx, folder.FS(), scenario.Rules{HTTPLoopback: c.Loopback, HTTPHosts: c.Private})
	if err := e.ctx.Err(); err != nil {
		return err // the rest was not looked at
	}
	if c.JSON {
		told := make([]checkedProblem, len(problems))
		for i, p := range problems {
			told[i] = checkedProblem(p)
		}
		err = json.NewEncoder(e.stdout).Encode(map[string]any{
			"ok": len(problems) == 0, "bot": header, "blocks": len(content.Blocks), "knowledge": len(content.Knowledge),
			"servers": len(content.Servers), "problems": told,
		})
		if err != nil {
			return err
		}
	} else {
		for _, p := range problems {
			fmt.Fprintln(e.stdout, p)
		}
	}
	switch {
	case len(problems) > 0:
		return fault.New(fault.Refused, "%s", counted(len(problems), "problem"))
	case !c.JSON:
		fmt.Fprintf(e.stdout, "%s (%s): %s, %s, %s; nothing is wrong\n", header.Name, header.ID, counted(len(content.Blocks), "block"),
			counted(len(content.Knowledge), "knowledge item"), counted(len(content.Servers), "skill server"))
	}
	return nil
}

// counted is a number of things in words.
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
