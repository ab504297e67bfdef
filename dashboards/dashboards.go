// Package dashboards holds the Grafana dashboards as code. What Grafana reads is written by
// go generate; a test fails when the two differ, and when a panel names a metric that is not.
package dashboards

//go:generate go run ./generate

import (
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// File is where [JSON] is kept, from this folder.
const File = "grafana/malgil.json"

// source is the data source that provisioning makes.
var source = common.DataSourceRef{Type: ptr("prometheus"), Uid: ptr("malgil-prometheus")}

// row is a row of panels.
type row struct {
	title  string
	panels []panel
}

// panel is a graph over time or, with now set, one number.
type panel struct {
	title   string
	help    string // one line: what is seen and what is good
	empty   string // why it may show nothing, or empty when it always shows something
	unit    string // Grafana's name of the unit
	now     bool
	stacked bool
	queries []query
}

// query is a PromQL expression; $__rate_interval stands for Grafana's choice of a range.
type query struct{ expr, legend string }

const (
	columns    = 24 // Grafana's grid
	statHeight = 4
	height     = 8
)

// JSON returns the overview dashboard as Grafana reads it.
func JSON() ([]byte, error) {
	//lint:ignore SA1019 every Grafana reads this form from a file; the one that replaces it needs Grafana 12 or later
	board := dashboard.NewDashboardBuilder("말길 한눈에").Uid("malgil-overview").
		Description("대화, 발송, 돈, 대기열이 지금 어떤지 한 장으로 봅니다.").
		Tags([]string{"malgil"}).Timezone("Asia/Seoul").Time("now-3h", "now").Refresh("30s").Readonly().
		Tooltip(dashboard.DashboardCursorSyncCrosshair)
	id := uint32(0)
	for _, r := range overview {
		id++
		board.WithRow(dashboard.NewRowBuilder(r.title).Id(id))
		for i, p := range r.panels {
			id++
			if p.now {
				board.WithPanel(p.number(id).Span(r.width(i)))
			} else {
				board.WithPanel(p.graph(id).Span(r.width(i)))
			}
		}
	}
	built, err := board.Build()
	if err != nil {
		return nil, fmt.Errorf("build the dashboard: %w", err)
	}
	text, err := json.MarshalIndent(built, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the dashboard: %w", err)
	}
	return append(text, '\n'), nil
}

// width shares a line among its panels: numbers stand in one, graphs by three.
func (r row) width(i int) uint32 {
	line, n := 3, len(r.panels)
	switch last := n % line; {
	case r.panels[i].now:
		line = n
	case i >= n-last:
		line = last
	}
	return uint32(columns / line)
}

func (p panel) number(id uint32) *stat.PanelBuilder {
	b := stat.NewPanelBuilder().Id(id).Title(p.title).Description(p.describe()).Datasource(source).Unit(p.unit).Height(statHeight).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		GraphMode(common.BigValueGraphModeArea).NoValue("–")
	for i, q := range p.queries {
		b.WithTarget(q.target(i))
	}
	return b
}

func (p panel) graph(id uint32) *timeseries.PanelBuilder {
	b := timeseries.NewPanelBuilder().Id(id).Title(p.title).Description(p.describe()).Datasource(source).Unit(p.unit).Height(height).
		Min(0).LineWidth(1).FillOpacity(10).ShowPoints(common.VisibilityModeNever).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
	if p.stacked {
		b.Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
	}
	for i, q := range p.queries {
		b.WithTarget(q.target(i))
	}
	return b
}

func (p panel) describe() string {
	if p.empty == "" {
		return p.help
	}
	return p.help + " (비어 있을 때: " + p.empty + ")"
}

func (q query) target(i int) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().RefId(string(rune('A' + i))).Datasource(source).
		Expr(q.expr).LegendFormat(q.legend).Range()
}

func ptr[T any](v T) *T { return &v }
