package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	leadPoll    = 500 * time.Millisecond // how often a follower tries, and the leader shows that it lives
	leadTimeout = 3 * time.Second        // how long leader and server wait for each other
)

var (
	errLeadershipLost  = errors.New("leadership lost: the connection that holds its lock is gone")
	errLeadershipGiven = errors.New("leadership given up")
)

// lead takes a session advisory lock on a connection of its own. The server ends
// the session, and with it the lock, of a leader that has been silent for
// leadTimeout: one that is paused, or beyond a broken network.
func (p *postgres) lead(ctx context.Context) (context.Context, func(), error) {
	for {
		conn, err := campaign(ctx, p.leadConfig())
		if err == nil {
			leading, giveUp := hold(ctx, conn)
			return leading, giveUp, nil
		}
		// A database that is away is one more turn: leadership waits for it.
		if err := pause(ctx); err != nil {
			return nil, nil, err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(leadPoll):
		return nil
	}
}

func (p *postgres) leadConfig() *pgx.ConnConfig {
	config := p.writes.Config().ConnConfig
	config.RuntimeParams["idle_session_timeout"] = leadTimeout.String()
	return config
}

// campaign asks for the lock until it has it, and returns the connection that
// holds it.
func campaign(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	for {
		leader, err := tryLead(ctx, conn)
		if leader {
			return conn, nil
		}
		if err == nil {
			err = pause(ctx)
		}
		if err != nil {
			closeConn(ctx, conn)
			return nil, err
		}
	}
}

func tryLead(ctx context.Context, conn *pgx.Conn) (leader bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, leadTimeout)
	defer cancel()
	const try = "SELECT pg_try_advisory_lock($1, hashtext(current_schema()))"
	err = conn.QueryRow(ctx, try, leaderLock).Scan(&leader)
	return leader, err
}

// The lock of a session is two keys: the second, a signed hash, stands in pg_locks
// as the unsigned number of the same bits. Who may not see another's session gets
// no address.
const holderOfLock = `SELECT coalesce(host(a.client_addr) || ':' || a.client_port, '')
	FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
	WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = $1
	AND l.objid = (hashtext(current_schema())::bigint & 4294967295)::oid
	AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`

func (p *postgres) leader(ctx context.Context) (Leader, error) {
	var l Leader
	err := p.read(ctx, query{sql: holderOfLock, args: []any{leaderLock}, row: func(scan scanner) error {
		l.Leads = true
		return scan(&l.Addr)
	}})
	return l, err
}

// hold keeps the connection alive until leadership is given up, ctx ends or the
// connection breaks. The function it returns waits for the lock to be free.
func hold(ctx context.Context, conn *pgx.Conn) (context.Context, func()) {
	leading, end := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer closeConn(leading, conn)
		tick := time.NewTicker(leadPoll)
		defer tick.Stop()
		for {
			select {
			case <-leading.Done():
				return
			case <-tick.C:
			}
			if err := alive(leading, conn); err != nil {
				end(errors.Join(errLeadershipLost, err))
				return
			}
		}
	}()
	return leading, func() {
		end(errLeadershipGiven)
		<-done
	}
}

func alive(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, leadTimeout)
	defer cancel()
	return conn.Ping(ctx)
}
