//! What can be seen of a value's type, from the type itself or from the expression that makes it.

use syn::{
    BinOp, Expr, ExprCall, ExprMethodCall, GenericArgument, Ident, Lit, Path, PathArguments, Type,
};

use super::known::Known;
use super::names::Names;

/// Types that are what they hold, as far as its order goes.
const WRAPPERS: &[&str] =
    &["Option", "Result", "Box", "Rc", "Arc", "Cow", "Mutex", "RwLock", "RefCell", "Resource"];

/// Methods that give what they are called on, or what it holds, or else what they are given.
const HANDS_ON: &[&str] = &[
    "clone",
    "cloned",
    "to_owned",
    "into_owned",
    "as_ref",
    "as_mut",
    "as_deref",
    "as_deref_mut",
    "borrow",
    "borrow_mut",
    "lock",
    "read",
    "write",
    "unwrap",
    "unwrap_or",
    "unwrap_or_else",
    "unwrap_or_default",
    "or_insert",
    "or_insert_with",
    "get_or_insert_with",
    "expect",
];

impl Known {
    /// What a type says.
    pub(super) fn of_type(ty: &Type, names: &Names) -> Option<Self> {
        match ty {
            Type::Reference(reference) => Self::of_type(&reference.elem, names),
            Type::Paren(inner) => Self::of_type(&inner.elem, names),
            Type::Group(inner) => Self::of_type(&inner.elem, names),
            Type::Tuple(tuple) => {
                let each = tuple.elems.iter().map(|each| Self::of_type(each, names));
                Some(Self::Tuple(each.collect()))
            }
            Type::Path(path) => {
                let last = path.path.segments.last()?;
                let is_wrapper = WRAPPERS.iter().any(|wrapper| last.ident == wrapper);
                match &last.arguments {
                    PathArguments::AngleBracketed(held) if is_wrapper => {
                        Self::of_type(held.args.iter().find_map(as_type)?, names)
                    }
                    _ => Self::of_name(&last.ident, names),
                }
            }
            _ => None,
        }
    }

    /// What the expression says that makes a value.
    pub(super) fn of_value(value: &Expr, names: &Names) -> Option<Self> {
        match value {
            Expr::Path(path) => {
                let variable = path.path.get_ident()?;
                Some(match names.known(variable)? {
                    Self::Hashed(_) => Self::Hashed(variable.clone()),
                    known => known.clone(),
                })
            }
            Expr::Reference(reference) => Self::of_value(&reference.expr, names),
            Expr::Paren(inner) => Self::of_value(&inner.expr, names),
            Expr::Group(inner) => Self::of_value(&inner.expr, names),
            Expr::Try(inner) => Self::of_value(&inner.expr, names),
            Expr::Unary(dereferenced) => Self::of_value(&dereferenced.expr, names),
            Expr::Tuple(tuple) => {
                let each = tuple.elems.iter().map(|each| Self::of_value(each, names));
                Some(Self::Tuple(each.collect()))
            }
            Expr::Lit(literal) => match &literal.lit {
                Lit::Int(number) if !number.suffix().starts_with('f') => Some(Self::Number),
                _ => None,
            },
            // What an arm binds is not known here.
            Expr::Match(choice) => choice.arms.iter().find_map(|arm| match &*arm.body {
                Expr::Path(_) => None,
                made => Self::of_value(made, names),
            }),
            // `&left - &right`
            Expr::Binary(sets) if matches!(*sets.left, Expr::Reference(_)) => {
                use BinOp::{BitAnd, BitOr, BitXor, Sub};
                let makes_a_set = matches!(sets.op, Sub(_) | BitAnd(_) | BitOr(_) | BitXor(_));
                if makes_a_set { Self::of_value(&sets.left, names) } else { None }
            }
            Expr::Call(call) => Self::of_call(call, names),
            Expr::MethodCall(call) => Self::of_method_call(call, names),
            _ => None,
        }
    }

    fn of_call(call: &ExprCall, names: &Names) -> Option<Self> {
        let Expr::Path(function) = &*call.func else { return None };
        let of_type = match &function.qself {
            Some(of) => Self::of_type(&of.ty, names),
            None => Self::made_by(&function.path, names),
        };
        of_type.or_else(|| {
            let mut path = function.path.segments.iter().rev().map(|name| name.ident.to_string());
            let (name, of) = (path.next()?, path.next().unwrap_or_default());
            let hands_on = match name.as_str() {
                "Some" | "Ok" | "take" => true,
                "new" | "clone" => WRAPPERS.contains(&of.as_str()),
                _ => false,
            };
            if hands_on { Self::of_value(call.args.first()?, names) } else { None }
        })
    }

    /// What a type's function makes: `HashMap::new`.
    pub(super) fn made_by(function: &Path, names: &Names) -> Option<Self> {
        Self::of_name(&function.segments.iter().rev().nth(1)?.ident, names)
    }

    fn of_method_call(call: &ExprMethodCall, names: &Names) -> Option<Self> {
        let name = call.method.to_string();
        match name.as_str() {
            "collect" => Self::of_type(turbofish(call)?, names),
            "into_group_map" | "into_group_map_by" => Some(Self::Hashed(call.method.clone())),
            name if HANDS_ON.contains(&name) => {
                let given = || match call.args.first()? {
                    // `HashSet::new`
                    Expr::Path(function) => Self::made_by(&function.path, names),
                    value => Self::of_value(value, names),
                };
                Self::of_value(&call.receiver, names).or_else(given)
            }
            _ => None,
        }
    }

    fn of_name(ty: &Ident, names: &Names) -> Option<Self> {
        match names.original(ty).as_str() {
            "HashMap" | "HashSet" | "AHashMap" | "AHashSet" | "DashMap" | "DashSet" => {
                Some(Self::Hashed(ty.clone()))
            }
            "BTreeMap" | "BTreeSet" | "BinaryHeap" => Some(Self::Sorted),
            "Step" => Some(Self::Handle),
            "Duration" | "Decimal" => Some(Self::Number),
            name => {
                let bits = name.strip_prefix(['u', 'i'])?;
                let is_integer = matches!(bits, "8" | "16" | "32" | "64" | "128" | "size");
                is_integer.then_some(Self::Number)
            }
        }
    }
}

/// The type that a method is told to give: `collect::<Vec<_>>()`.
pub(super) fn turbofish(call: &ExprMethodCall) -> Option<&Type> {
    call.turbofish.as_ref()?.args.iter().find_map(as_type)
}

fn as_type(argument: &GenericArgument) -> Option<&Type> {
    match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    }
}
