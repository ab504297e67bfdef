package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/malgil/malgil/internal/queue"
)

// redisClient tells of the connections of one client of Redis.
type redisClient struct {
	stats                 func() queue.Connections
	connections, timeouts *prometheus.Desc
}

// NewRedisClient returns what tells of a client's connections. Clients have different names.
func NewRedisClient(name string, stats func() queue.Connections) prometheus.Collector {
	client := prometheus.Labels{"client": name}
	return &redisClient{stats: stats,
		connections: prometheus.NewDesc("malgil_redis_connections",
			"Connections to Redis that a client of this process holds, by state.", []string{"state"}, client),
		timeouts: prometheus.NewDesc("malgil_redis_timeouts_total",
			"Times that a client of this process waited for one of its connections to Redis in vain.", nil, client),
	}
}

// Describe implements [prometheus.Collector].
func (c *redisClient) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.connections
	descs <- c.timeouts
}

// Collect implements [prometheus.Collector].
func (c *redisClient) Collect(metrics chan<- prometheus.Metric) {
	s := c.stats()
	metrics <- prometheus.MustNewConstMetric(c.connections, prometheus.GaugeValue, float64(s.InUse), "in_use")
	metrics <- prometheus.MustNewConstMetric(c.connections, prometheus.GaugeValue, float64(s.Idle), "idle")
	metrics <- prometheus.MustNewConstMetric(c.timeouts, prometheus.CounterValue, float64(s.Timeouts))
}

// disk tells how full one is.
type disk struct {
	free func() (ratio float64, err error)
	desc *prometheus.Desc
}

// NewDisk returns what tells how much of a folder's disk is free, from 0 to 1. What cannot be looked at
// is left out. Folders have different names.
func NewDisk(folder string, free func() (ratio float64, err error)) prometheus.Collector {
	return &disk{free: free, desc: prometheus.NewDesc("malgil_disk_free_ratio",
		"Part of the disk below a folder of this process that is free for it; absent where the disk cannot be looked at.",
		nil, prometheus.Labels{"folder": folder})}
}

// Describe implements [prometheus.Collector].
func (d *disk) Describe(descs chan<- *prometheus.Desc) { descs <- d.desc }

// Collect implements [prometheus.Collector].
func (d *disk) Collect(metrics chan<- prometheus.Metric) {
	if ratio, err := d.free(); err == nil {
		metrics <- prometheus.MustNewConstMetric(d.desc, prometheus.GaugeValue, ratio)
	}
}
