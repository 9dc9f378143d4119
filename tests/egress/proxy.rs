//! Through a proxy: its own address is no target, and it is told of no target that is refused.

use testkit::{Cluster, Network, Receiver, Socks};

use super::{assert_refused, assert_refused_as, insert, insert_as, refusal, url_at};
use crate::wire::foreign::proxies::through;

#[test]
fn the_proxy_is_exempt_and_told_of_no_refused_target() {
    Network::with(&["8.8.8.8", "10.1.2.3", "169.254.169.254"]).run(|hosts| {
        hosts.point("app.test", &["8.8.8.8"]);
        let (receiver, socks) = (Receiver::start_everywhere(), Socks::start());
        let builder = Cluster::builder().conf("pg_net.egress", "public");
        let mut fixture = through(builder, &socks.proxy("socks5h"), Socks::CREDENTIALS);
        let rules = "create role app login;
                     insert into net.egress_rule (role, action, host) values ('app', 'allow', 'app.test');
                     insert into net.egress_rule (action, host) values ('deny', '*.denied.test')";
        fixture.client.batch_execute(rules).unwrap();
        let app_url = url_at(&receiver, "app.test", "/app");
        let by_literal = url_at(&receiver, "8.8.8.8", "/literal");

        for host in [
            "169.254.169.254",
            "0xa9fea9fe",
            "[::ffff:169.254.169.254]",
            "10.1.2.3",
            "127.0.0.1",
            "localhost",
            "metadata.google.internal",
            "a.denied.test",
        ] {
            let url = url_at(&receiver, host, "/");
            assert_refused(&mut fixture, &url);
            refusal(&mut fixture.client, &url);
            assert_refused(&mut fixture, &url_at(&receiver, "8.8.8.8", &format!("/redirect/302?to={url}")));
        }
        let mut app = fixture.cluster.connect_as("app", "postgres");
        refusal(&mut app, &by_literal);
        assert_refused_as(&mut fixture, "app", &by_literal);

        assert_eq!(insert_as(&mut fixture, "app", &app_url).status_code, Some(200));
        assert_eq!(insert(&mut fixture, &by_literal).status_code, Some(200));
        let told = [("8.8.8.8", receiver.port()), ("app.test", receiver.port())];
        assert_eq!(socks.wait_for(2), told.map(|(host, port)| format!("{host}:{port}")));
        let public = receiver.requests().iter().all(|request| request.address.to_string() == "8.8.8.8");
        assert!(public && receiver.count() == 10, "{:?}", receiver.requests());
    });
}
