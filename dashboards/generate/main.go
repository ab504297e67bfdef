// Command generate writes the dashboards for Grafana. Run it with go generate in dashboards.
package main

import (
	"fmt"
	"os"

	"github.com/malgil/malgil/dashboards"
)

func main() {
	text, err := dashboards.JSON()
	if err == nil {
		err = os.WriteFile(dashboards.File, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}
