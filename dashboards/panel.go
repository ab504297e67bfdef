package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// row is a row of panels: either numbers in one line or graphs. With a board named, its panels lead
// there.
type row struct {
	title  string
	board  *board
	panels []panel
}

// panel is a graph over time or, with now set, one number for each series.
type panel struct {
	title   string
	help    string // one line: what is seen and what is good
	empty   string // why it may show nothing, or empty when it always shows something
	unit    string // Grafana's name of the unit
	limits  limits
	now     bool
	stacked bool
	many    bool   // many series: they stand in a table, the largest first
	width   uint32 // of columns; a share of the line, when 0
	queries []query
}

// limits colour what is shown: yellow from warn on, red from bad on. Where bad is below warn, less
// is worse. The zero value colours nothing.
type limits struct{ warn, bad float64 }

// ought0 is for what should be 0.
var ought0 = limits{1, 1}

// query is a PromQL expression; $__rate_interval stands for Grafana's choice of a range.
type query struct{ expr, legend string }

const (
	numberHeight = 4
	graphHeight  = 8
	third, half  = columns / 3, columns / 2
)

// width is of a panel of the row. Numbers stand in one line. Graphs stand by three, and by two where that
// leaves none alone.
func (r row) width(i int) uint32 {
	n := len(r.panels)
	byTwo := map[int]int{0: 0, 1: 4, 2: 2}[n%3] // so many at the end
	switch {
	case r.panels[i].width > 0:
		return r.panels[i].width
	case r.panels[i].now:
		return uint32(columns / n)
	case n == 1:
		return columns
	case i >= n-byTwo:
		return half
	}
	return third
}

// link leads to the row's board at the times that are looked at; there is none without a board.
func (r row) link() []cog.Builder[dashboard.DashboardLink] {
	if r.board == nil {
		return nil
	}
	return []cog.Builder[dashboard.DashboardLink]{
		dashboard.NewDashboardLinkBuilder(r.board.title).Type(dashboard.DashboardLinkTypeLink).
			Url("/d/" + uid(r.board.name) + "?${__url_time_range}"),
	}
}

func (p panel) build(id, width uint32, links []cog.Builder[dashboard.DashboardLink]) cog.Builder[dashboard.Panel] {
	if p.now {
		return p.number(id).Span(width).Links(links)
	}
	return p.graph(id).Span(width).Links(links)
}

func (p panel) number(id uint32) *stat.PanelBuilder {
	b := stat.NewPanelBuilder().Id(id).Title(p.title).Description(p.describe()).Datasource(source).Unit(p.unit).Height(numberHeight).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		GraphMode(common.BigValueGraphModeArea).ColorMode(common.BigValueColorModeValue).TextMode(common.BigValueTextModeAuto).Orientation(common.VizOrientationAuto).
		Thresholds(p.limits.steps()).NoValue("–")
	for i, q := range p.queries {
		b.WithTarget(q.target(i))
	}
	return b
}

func (p panel) graph(id uint32) *timeseries.PanelBuilder {
	legend := common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)
	if p.many {
		legend.DisplayMode(common.LegendDisplayModeTable).Calcs([]string{"lastNotNull", "max"}).SortBy("Max").SortDesc(true)
	}
	b := timeseries.NewPanelBuilder().Id(id).Title(p.title).Description(p.describe()).Datasource(source).Unit(p.unit).Height(graphHeight).
		Min(0).LineWidth(1).FillOpacity(10).ShowPoints(common.VisibilityModeNever).Legend(legend).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)).
		Thresholds(p.limits.steps())
	if p.limits != (limits{}) {
		b.ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed))
	}
	if p.stacked {
		b.Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
	}
	for i, q := range p.queries {
		b.WithTarget(q.target(i))
	}
	return b
}

// steps is never empty: Grafana paints red from 80 on what has none.
func (l limits) steps() *dashboard.ThresholdsConfigBuilder {
	var steps []dashboard.Threshold
	switch {
	case l == limits{}:
		steps = []dashboard.Threshold{{Color: "text"}}
	case l.warn == l.bad:
		steps = []dashboard.Threshold{{Color: "green"}, {Value: &l.bad, Color: "red"}}
	case l.warn < l.bad:
		steps = []dashboard.Threshold{{Color: "green"}, {Value: &l.warn, Color: "yellow"}, {Value: &l.bad, Color: "red"}}
	default:
		steps = []dashboard.Threshold{{Color: "red"}, {Value: &l.bad, Color: "yellow"}, {Value: &l.warn, Color: "green"}}
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps)
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
