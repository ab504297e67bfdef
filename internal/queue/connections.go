package queue

import "github.com/redis/go-redis/v9"

// Connections are those that a client holds to Redis.
type Connections struct {
	InUse, Idle int64
	Timeouts    int64 // times that somebody waited for one in vain, since the client was made
}

// ConnectionsOf counts the connections of a client.
func ConnectionsOf(conn redis.UniversalClient) Connections {
	s := conn.PoolStats()
	return Connections{
		InUse:    int64(s.TotalConns) - int64(s.IdleConns),
		Idle:     int64(s.IdleConns),
		Timeouts: int64(s.Timeouts),
	}
}

// Connections counts those of the client.
func (c *Client) Connections() Connections { return ConnectionsOf(c.redis) }

// Connections counts those of the inspector.
func (i *Inspector) Connections() Connections { return ConnectionsOf(i.redis) }

// Connections counts those of all pools.
func (ps *Pools) Connections() Connections { return ConnectionsOf(ps.redis) }
