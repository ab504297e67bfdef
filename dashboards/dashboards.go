// Package dashboards holds the Grafana dashboards as code. What Grafana reads is written by
// go generate; a test fails when the two differ, and when a panel names a metric that is not.
package dashboards

//go:generate go run ./generate

import (
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// Folder is where the dashboards are kept, from this one.
const Folder = "grafana"

// Board is a dashboard as Grafana reads it.
type Board struct {
	File string // in [Folder]
	JSON []byte
}

// Boards returns every dashboard.
func Boards() ([]Board, error) {
	var all []Board
	for _, b := range boards {
		text, err := b.json()
		if err != nil {
			return nil, fmt.Errorf("write dashboard %s: %w", b.name, err)
		}
		all = append(all, Board{File: b.name + ".json", JSON: text})
	}
	return all, nil
}

// boards are the dashboards in the order in which an operator looks at them.
var boards = []board{overview, conversations, broadcasts, money, invoices, queues}

// board is a dashboard. Its name is that of its file and the end of its uid.
type board struct {
	name, title string
	help        string
	variables   []variable
	rows        []row
}

// variable is a choice at the head of a board: values of a label, all of them at first. Wallets, bots
// and users are no labels (docs/decisions/0078-boards-vary-by-queue-and-task.md).
type variable struct{ label, title, metric string }

const (
	tag     = "malgil"
	columns = 24 // Grafana's grid
)

// source is the data source that provisioning makes.
var source = common.DataSourceRef{Type: ptr("prometheus"), Uid: ptr("malgil-prometheus")}

func uid(name string) string { return "malgil-" + name }

func (b board) json() ([]byte, error) {
	//lint:ignore SA1019 every Grafana reads this form from a file; the one that replaces it needs Grafana 12 or later
	built := dashboard.NewDashboardBuilder(b.title).Uid(uid(b.name)).Description(b.help).
		Tags([]string{tag}).Timezone("Asia/Seoul").Time("now-3h", "now").Refresh("30s").Readonly().
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Link(dashboard.NewDashboardLinkBuilder("말길").Type(dashboard.DashboardLinkTypeDashboards).Tags([]string{tag}).
			Icon("external link").KeepTime(true).IncludeVars(true))
	for _, v := range b.variables {
		built.WithVariable(v.query())
	}
	id := uint32(0)
	for _, r := range b.rows {
		id++
		built.WithRow(dashboard.NewRowBuilder(r.title).Id(id))
		for i, p := range r.panels {
			id++
			built.WithPanel(p.build(id, r.width(i), r.link()))
		}
	}
	board, err := built.Build()
	if err != nil {
		return nil, err
	}
	for i := range board.Links {
		board.Links[i].Placement = nil // above the panels; the SDK knows only a menu
	}
	text, err := json.MarshalIndent(board, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}

func (v variable) query() *dashboard.QueryVariableBuilder {
	text, value := dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}}, dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}}
	query := fmt.Sprintf("label_values(%s, %s)", v.metric, v.label)
	return dashboard.NewQueryVariableBuilder(v.label).Label(v.title).Datasource(source).
		Query(dashboard.StringOrMap{String: &query}).Refresh(dashboard.VariableRefreshOnDashboardLoad).
		Sort(dashboard.VariableSortAlphabeticalAsc).Multi(true).IncludeAll(true).AllValue(".*").
		Current(dashboard.VariableOption{Selected: ptr(true), Text: text, Value: value})
}

func ptr[T any](v T) *T { return &v }
