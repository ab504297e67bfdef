// Command generate writes the dashboards for Grafana. Run it with go generate in dashboards.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/malgil/malgil/dashboards"
)

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// write writes every board, and removes those that are none any more.
func write() error {
	boards, err := dashboards.Boards()
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dashboards.Folder, "*.json"))
	if err != nil {
		return err
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	for _, b := range boards {
		if err := os.WriteFile(filepath.Join(dashboards.Folder, b.File), b.JSON, 0o644); err != nil {
			return err
		}
	}
	return nil
}
