package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// other stands for every value that a label is not meant to have.
const other = "other"

// label is a label and the values it may have; an open one has values that only the caller knows,
// few and fixed, such as the patterns of a router.
type label struct {
	name   string
	values []string
	open   bool
}

func closed(name string, values []string) label { return label{name: name, values: values} }

func open(name string) label { return label{name: name, open: true} }

type labels []label

func (ls labels) names() []string {
	names := make([]string, len(ls))
	for i, l := range ls {
		names[i] = l.name
	}
	return names
}

// clean returns values with each that is not known replaced.
func (ls labels) clean(values []string) []string {
	cleaned := slices.Clone(values)
	for i, l := range ls {
		if !l.open && !slices.Contains(l.values, values[i]) {
			cleaned[i] = other
		}
	}
	return cleaned
}

// each calls do with every combination of values; with an open label there is none.
func (ls labels) each(do func(values []string)) {
	combinations := [][]string{nil}
	for _, l := range ls {
		var longer [][]string
		for _, begun := range combinations {
			for _, value := range l.values {
				longer = append(longer, append(slices.Clone(begun), value))
			}
		}
		combinations = longer
	}
	for _, values := range combinations {
		do(values)
	}
}

// counters is a counter with labels.
type counters struct {
	labels labels
	vec    *prometheus.CounterVec
}

func newCounters(reg prometheus.Registerer, name, help string, ls ...label) *counters {
	c := &counters{labels: ls, vec: prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels(ls).names())}
	reg.MustRegister(c.vec)
	c.labels.each(func(values []string) { c.vec.WithLabelValues(values...) })
	return c
}

func (c *counters) add(n float64, values ...string) {
	c.vec.WithLabelValues(c.labels.clean(values)...).Add(n)
}

// histograms is a histogram of durations with labels.
type histograms struct {
	labels labels
	vec    *prometheus.HistogramVec
}

func newHistograms(reg prometheus.Registerer, name, help string, buckets []float64, ls ...label) *histograms {
	h := &histograms{labels: ls, vec: prometheus.NewHistogramVec(
		prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels(ls).names())}
	reg.MustRegister(h.vec)
	h.labels.each(func(values []string) { h.vec.WithLabelValues(values...) })
	return h
}

func (h *histograms) observe(took time.Duration, values ...string) {
	h.vec.WithLabelValues(h.labels.clean(values)...).Observe(took.Seconds())
}

// words turns a vocabulary of the rules into label values.
func words[W ~string](all ...W) []string {
	values := make([]string, len(all))
	for i, word := range all {
		values[i] = string(word)
	}
	return values
}
